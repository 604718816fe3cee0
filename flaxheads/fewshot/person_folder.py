"""Person folders: written and read for every kind of person."""

import jax
import numpy as np

from flaxheads.data.support import MAX_SIDE, Portrait
from flaxheads.errors import UserError
from flaxheads.fewshot import folders
from flaxheads.fewshot.direct import DirectPerson
from flaxheads.fewshot.person import Person
from flaxheads.fewshot.photo_person import PhotoPerson
from flaxheads.landmarks.crop import CropBox

KIND = 'person'
KINDS = {kind.kind: kind for kind in (DirectPerson, PhotoPerson)}
_MAX_CROP = 8  # times the portrait; see data/face_clips.py


def save_person(folder: str, person: Person) -> None:
  """Writes a person folder; the tensors keep their precision.

  Beside them lies `report.json`, how the person was made.

  Args:
    folder: its name; an earlier person is replaced.
    person: Person.

  Raises:
    UserError: the name belongs to something else, or cannot be written.
  """
  portrait = {}
  if person.portrait is not None:
    box = np.array(person.portrait.box, np.float32)
    portrait['portrait'] = {'image': person.portrait.image, 'box': box}
  gaze = {} if person.gaze is None else {'gaze': person.gaze}
  folders.save(
    folder,
    KIND,
    {'generator': person.kind, **person.describe(), 'info': person.info},
    {
      **person.tensors(),
      'frame': person.frame,
      'support_points': person.support_points,
      **portrait,
      **gaze,
    },
    person.info,
  )


def load_person(folder: str) -> Person:
  """Reads a person folder.

  Raises:
    UserError: not a person, changed, or of sizes that do not fit.
  """
  description, tree = folders.load(folder, KIND)
  name = description.get('generator')
  if not isinstance(name, str) or name not in KINDS:
    raise UserError(
      f'{folder}: its generator is {name!r}; this release has '
      f'{", ".join(KINDS)}'
    )
  kind = KINDS[name]
  image_size, own = kind.expected(description)
  folders.check_tree(folder, tree, {**own, **_common(image_size, tree)})
  portrait = tree.get('portrait')
  if portrait:
    portrait = Portrait(portrait['image'], CropBox(*portrait['box'].tolist()))
    _check_portrait(folder, portrait)
  common = {
    'frame': tree['frame'],
    'support_points': tree['support_points'],
    'info': description.get('info', {}),
    'portrait': portrait,
    'gaze': tree.get('gaze'),
    'folder': str(folder),
  }
  return kind.restore(description, {name: tree[name] for name in own}, common)


def _check_portrait(folder: str, portrait: Portrait) -> None:
  """Raises UserError where the box lies outside of the image."""
  height, width = portrait.image.shape[:2]
  x0, y0, side = portrait.box
  overlaps = -side < x0 < width and -side < y0 < height
  if not (overlaps and 1 <= side <= _MAX_CROP * max(height, width)):
    raise UserError(
      f'{folder}: the place of the face is not in its portrait; make the person'
      ' again'
    )


def _common(image_size: int, tree: dict) -> dict:
  """Shapes of what every kind holds; T and the portrait's size are free."""
  num_shots = max(1, *np.shape(tree.get('support_points'))[:1], 1)
  portrait = {}
  if isinstance(tree.get('portrait'), dict):
    given = (*np.shape(tree['portrait'].get('image')), 1, 1)[:2]
    sides = [min(max(n, 1), MAX_SIDE) for n in given]
    portrait['portrait'] = {
      'image': jax.ShapeDtypeStruct((*sides, 3), np.uint8),
      'box': jax.ShapeDtypeStruct((3,), np.float32),
    }
  if 'gaze' in tree:
    portrait['gaze'] = jax.ShapeDtypeStruct((num_shots, 2, 2), np.float32)
  return {
    **portrait,
    'frame': jax.ShapeDtypeStruct((image_size, image_size, 3), np.uint8),
    'support_points': jax.ShapeDtypeStruct((num_shots, 68, 2), np.float32),
  }
