"""The faces and landmarks found in uploaded files, shown on the page."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from flaxheads.data.driver import Driver
from flaxheads.data.support import Support, load_support
from flaxheads.errors import UserError
from flaxheads.fewshot.rendering import resize
from flaxheads.landmarks.crop import crop_image
from flaxheads.landmarks.detect import make_detector
from flaxheads.landmarks.rasterise import rasterise_landmarks

SHOWN = 256  # pixels, the side of a picture on the page
_MOMENTS = 4  # of a driver


class FoundFace(NamedTuple):
  """The face of one file.

  Attributes:
    name: of the file.
    path: of it.
    support: the frames with a face; None where there is none to use.
    picture: uint8 [256, 256, 3], the first with its landmarks, or None.
    sentence: what is wrong with it, or ''.
  """

  name: str
  path: Path
  support: Support | None
  picture: np.ndarray | None
  sentence: str


def with_names(error: UserError, paths: Sequence[Path]) -> str:
  """The message, with names of files instead of their paths on the server."""
  text = str(error)
  for path in paths:
    text = text.replace(str(path), path.name)
  return text


@functools.partial(jax.jit, static_argnames='size')
def _overlay(picture, points, size):
  strokes = (rasterise_landmarks(points, size) + 1) / 2
  opacity = strokes.max(-1, keepdims=True)
  mixed = picture * (1 - opacity) + 255 * strokes
  return jnp.clip(jnp.round(mixed), 0, 255).astype(jnp.uint8)


def annotate(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
  """Lays landmarks over a picture.

  Args:
    picture: uint8 [S, S, 3].
    points: float [68, 2] in pixels of it.

  Returns:
    uint8 [256, 256, 3].
  """
  scaled = np.asarray(points, np.float32) * (SHOWN / picture.shape[0])
  return np.asarray(_overlay(resize(picture, SHOWN), scaled, SHOWN))


def find_faces(
  paths: Sequence[Path],
  image_size: int,
  face: int | None = None,
  max_frames: int | None = None,
  tell: Callable[[str], None] = lambda name: None,
) -> list[FoundFace]:
  """Finds the face in each of several files; a bad file stops no other.

  Args:
    paths: pictures or videos of one person.
    image_size: S of the model.
    face: which face, from the left, where a picture shows several.
    max_frames: read at most so many frames of each video.
    tell: called with the name of each file before it is read.
  """
  detector, found = make_detector(), []
  for path in paths:
    tell(path.name)
    try:
      support = load_support(
        path, image_size, face=face, detector=detector, max_frames=max_frames
      )
    except UserError as error:
      found.append(
        FoundFace(path.name, path, None, None, with_names(error, [path]))
      )
      continue
    image, box = support.portrait
    crop = crop_image(image, box, SHOWN)
    points = support.points[0] * (SHOWN / image_size)
    found.append(
      FoundFace(path.name, path, support, annotate(crop, points), '')
    )
  return found


def join(files: Sequence[FoundFace], max_shots: int) -> Support:
  """All frames that can be used, as those of one person.

  Args:
    files: at least one with a face.
    max_shots: more frames are thinned out evenly.

  Raises:
    UserError: none has a face.
  """
  given = [file.support for file in files if file.support]
  if not given:
    raise UserError('no face is found in any of the pictures; give others')
  frames = np.concatenate([support.frames for support in given])
  count = min(len(frames), max_shots)
  chosen = np.linspace(0, len(frames) - 1, count).round().astype(int)
  return Support(
    frames[chosen],
    np.concatenate([support.points for support in given])[chosen],
    [remark for support in given for remark in support.remarks],
    np.concatenate([support.sides for support in given])[chosen],
    given[0].portrait,
  )


def show_driver(driver: Driver) -> list[np.ndarray]:
  """Up to four moments of a driver, with its landmarks."""
  count = min(_MOMENTS, len(driver.points))
  moments = np.linspace(0, len(driver.points) - 1, count).round().astype(int)
  return [annotate(driver.frames[i], driver.points[i]) for i in moments]
