"""Warnings about unsuitable support frames."""

import numpy as np

from flaxheads.data.support import Support
from flaxheads.landmarks.layout import inter_ocular_distance
from flaxheads.landmarks.pose import head_pose

_FRONTAL = 30.0  # degrees of yaw that still show both halves of a face
_ALIKE_POINTS = 0.02  # of the distance between the outer eye corners
_ALIKE_PIXELS = 4.0  # of 255


def support_warnings(support: Support, where: str, size: int) -> list[str]:
  """One sentence for each thing that is wrong with the pictures.

  Args:
    support: T frames of one person.
    where: name of the pictures in the sentences.
    size: side of generated frames, pixels.
  """
  found = [_too_small(support, where, size), _no_frontal_view(support, where)]
  return [text for text in (*found, _too_alike(support, where)) if text]


def _too_small(support, where, size):
  side = float(np.median(support.sides))
  if side >= size:
    return ''
  return (
    f'{where}: the faces are too small, about {side / 2:.0f} pixels; generated'
    f' faces have {size // 2}, and will be blurred; give closer or'
    ' larger pictures'
  )


def _no_frontal_view(support, where):
  yaw = np.abs(head_pose(support.points).yaw)
  if not np.nanmin(yaw) > _FRONTAL:
    return ''
  return (
    f'{where}: no frontal view, the nearest is turned by {np.nanmin(yaw):.0f}'
    ' degrees; the hidden half of the face will be guessed; add a picture with'
    ' a view from the front'
  )


def _too_alike(support, where):
  count = len(support.frames)
  if count == 1:
    return ''
  points, frames = support.points, support.frames.astype(np.float32)
  moved = np.linalg.norm(points[1:] - points[0], axis=-1).mean(-1)
  moved = moved.max() / inter_ocular_distance(points[0])
  changed = np.abs(frames[1:] - frames[0]).mean((1, 2, 3)).max()
  if moved > _ALIKE_POINTS or changed > _ALIKE_PIXELS:
    return ''
  return (
    f'{where}: the {count} pictures are too alike to teach more than one;'
    ' add other poses, expressions and light'
  )
