"""Transfers the motion of one face to the shape of another.

Landmarks of a driver contain the driver's face shape: a narrow face driven by a
broad one becomes broad. Here a driver's points are moved by the difference
between the two faces at rest, rotated as the driver's head is in that frame. So
all motion of the driver is kept, also what the face model cannot represent, and
a face driven by its own points hardly changes. A head that turns further than a
generator can follow is turned back: landmarks/limits.py.
"""

import numpy as np

from flaxheads.landmarks import face_shape, layout, limits
from flaxheads.landmarks.crop import crop_box, points_to_crop

# Eyes and mouth move in proportion to their own size, within these limits.
_MIN_GAIN, _MAX_GAIN = 0.6, 1.6
_MOUTH = np.array(layout.OUTER_LIPS + layout.INNER_LIPS)
_MARGIN = 0.1  # of the crop, about a face that is pasted
# (upper, lower) points that may touch, but not cross.
_LIDS = layout.LEFT_LIDS + layout.RIGHT_LIDS
_LIPS = ((61, 67), (62, 66), (63, 65))


def retarget(
  source_points: np.ndarray, driver_points: np.ndarray, image_size: int
) -> np.ndarray:
  """Gives a source the motion of a driver and keeps its own face shape.

  Args:
    source_points: float [T, 68, 2] in pixels: the person, in images of any
      size and pose; more images determine the shape better.
    driver_points: float [F, 68, 2] in pixels: the frames of one clip.
    image_size: S, side of the generated crop, pixels.

  Returns:
    float32 [F, 68, 2] in pixels of the S x S crop of a clip of the source with
    this motion.

  Raises:
    ValueError: another shape, no frame, or numbers that are not finite.
  """
  moved = Transfer(source_points, driver_points)(driver_points)
  return points_to_crop(moved, crop_box(moved), image_size)


class Transfer:
  """Two faces at rest, known once: moves frames of the driver as they come."""

  def __init__(self, source_points: np.ndarray, driver_points: np.ndarray):
    """Args as of `retarget`."""
    self._source = face_shape.fit_shape(source_points)
    self._driver = face_shape.fit_shape(driver_points)

  def __call__(self, points: np.ndarray) -> np.ndarray:
    """Gives frames of the driver the source's face.

    Args:
      points: float [F, 68, 2] in pixels, of the driver.

    Returns:
      float64 [F, 68, 2] in the same pixels.
    """
    source, driver = self._source, self._driver
    motion = face_shape.fit_motion(points, driver)
    limited = motion._replace(rotation=limits.limit_pose(motion.rotation))
    offsets = motion.offsets()
    own = face_shape.project(
      source + rescale_expression(offsets, source, driver), limited
    )
    theirs = face_shape.project(driver + offsets, motion)
    # What the model does not explain is kept, turned as the head is.
    rest = np.asarray(points, np.float64) * (1, -1) - theirs
    middle = rest.mean(1, keepdims=True)
    turn = limits.in_plane(motion.rotation, limited.rotation)
    rest = middle + (rest - middle) @ np.swapaxes(turn, 1, 2)
    moved = (own + rest) * (1, -1)
    # y of the head in the image, where y points down.
    upwards = limited.rotation[:, :2, 1] * (1, -1)
    eyes = np.linalg.norm(source[45] - source[36]) * limited.scale
    moved = limits.limit_mouth(moved, upwards, eyes)
    return _keep_apart(moved, upwards)


def rescale_expression(offsets, source, driver):
  """Scales a driver's expressions to the source's mouth and eyes.

  Args:
    offsets: [F, 68, 3], cm, from the driver's face at rest.
    source: [68, 3], the source's face at rest.
    driver: [68, 3], the driver's.

  Returns:
    [F, 68, 3].
  """

  def gain(size):
    return np.clip(size(source) / size(driver), _MIN_GAIN, _MAX_GAIN)

  offsets = offsets.copy()
  for eye in (layout.LEFT_EYE, layout.RIGHT_EYE):
    upper, lower = list(eye[1:3]), list(eye[4:6])

    def opening(rest, upper=upper, lower=lower):
      return max(rest[upper, 1].mean() - rest[lower, 1].mean(), 0.1)

    offsets[:, list(eye), 1] *= gain(opening)
  offsets[:, _MOUTH, 0] *= gain(lambda rest: rest[54, 0] - rest[48, 0])
  return offsets


def _keep_apart(points, upwards):
  """Lids and lips that would cross meet in their middle."""
  for upper, lower in _LIDS + _LIPS:
    gap = points[:, upper] - points[:, lower]  # [F, 2]
    overlap = np.minimum((gap * upwards).sum(-1), 0)[:, None]
    half = overlap * upwards / np.square(upwards).sum(-1, keepdims=True) / 2
    points[:, upper] -= half
    points[:, lower] += half
  return points


def place_on(points: np.ndarray, anchor: np.ndarray) -> np.ndarray:
  """Puts a moving head at the place of a still one, for paste-back.

  All frames get one scale and one shift, such that the frame most like the
  anchor lies on it. The head moves from there.

  Args:
    points: float [F, 68, 2] in pixels.
    anchor: float [68, 2] in pixels of the image's crop.

  Returns:
    float32 [F, 68, 2] in pixels of that crop.
  """
  points = np.asarray(points, np.float64)
  anchor = np.asarray(anchor, np.float64)
  middles = points.mean(1, keepdims=True)
  centred, wanted = points - middles, anchor - anchor.mean(0)
  scales = (centred * wanted).sum((1, 2)) / np.square(centred).sum((1, 2))
  apart = np.square(scales[:, None, None] * centred - wanted).sum((1, 2))
  best = int(np.argmin(np.where(scales > 0, apart, np.inf)))
  scale = scales[best] if scales[best] > 0 else 1.0
  placed = (points - middles[best]) * scale + anchor.mean(0)
  return placed.astype(np.float32)


def keep_inside(points: np.ndarray, image_size: int) -> np.ndarray:
  """Shifts frames back whose face would leave the crop, or reach its border.

  Args:
    points: float [F, 68, 2] in pixels of a crop of S x S.
    image_size: S, pixels.

  Returns:
    float32 [F, 68, 2]; a face too large for it lies in the middle.
  """
  margin = _MARGIN * image_size
  low, high = points.min(1), points.max(1)  # [F, 2]
  least, most = margin - low, image_size - margin - high
  middle = (least + most) / 2
  shift = np.clip(0, np.minimum(least, middle), np.maximum(most, middle))
  return (points + shift[:, None]).astype(np.float32)
