"""Gaze: measured at the irises, transferred to a face, shown in an image.

The gaze of an eye is the position of its iris relative to the middle between
the corners of the eye: along the line from the left corner to the right one in
the image, and across it, downwards, in units of their distance. So it is the
same in every crop. NaN means that the gaze of an eye is unknown.
"""

import cv2
import numpy as np

from flaxheads.landmarks import host_raster, layout
from flaxheads.landmarks.smooth import smooth_points

# Points of the mesh for each eye, the left one in the image first: its corners,
# upper and lower lid, and the centre of the iris.
_MESH = ((33, 133, 159, 145, 468), (362, 263, 386, 374, 473))
UNKNOWN = np.full((2, 2), np.nan, np.float32)
_EYES = (layout.LEFT_EYE, layout.RIGHT_EYE)
_MIN_OPEN = 0.15  # of the eye's width, between the lids: less hides the iris
_RADIUS = 0.24  # of an iris, of the eye's width; measured: 0.18 to 0.24
# How far irises go from the middle between the corners, and move.
_MAX_GAZE = np.array([0.2, 0.12])
_MAX_CHANGE = np.array([0.25, 0.07])
_LASHES = 0.06  # of the eye's width along the lids: what lies there stays there


def measure(mesh: np.ndarray) -> np.ndarray:
  """The gaze of both eyes.

  Args:
    mesh: float [478, 2 or 3], see face_networks.Mesh.

  Returns:
    float32 [2, 2], the left eye in the image first; NaN for shut eyes.
  """
  gaze = UNKNOWN.copy()
  for eye, numbers in enumerate(_MESH):
    left, right, upper, lower, iris = np.asarray(mesh, np.float64)[
      list(numbers), :2
    ]
    frame = _frame(left, right)
    opening = (lower - upper) @ frame[1] / (frame[0] @ frame[0])
    if opening > _MIN_OPEN:
      offset = iris - (left + right) / 2
      gaze[eye] = frame @ offset / (frame[0] @ frame[0])
  return gaze


def _frame(left, right):
  """Rows: the way from corner to corner, and the same turned downwards."""
  x, y = right - left
  return np.array([[x, y], [-y, x]])


def fill(gaze: np.ndarray) -> np.ndarray | None:
  """Interpolates what is unknown over time, and an eye by the other one.

  Args:
    gaze: float [F, 2, 2].

  Returns:
    float32 [F, 2, 2]; None where no frame shows a gaze.
  """
  gaze = np.asarray(gaze, np.float64)
  known = np.isfinite(gaze).all(-1)
  if not known.any():
    return None
  times = np.arange(len(gaze))
  filled = np.empty(gaze.shape, np.float32)
  for eye in range(2):
    # An eye that is never seen does as the other.
    one = eye if known[:, eye].any() else 1 - eye
    seen = known[:, one]
    for axis in range(2):
      filled[:, eye, axis] = np.interp(
        times, times[seen], gaze[seen, one, axis]
      )
  return filled


def smooth_gaze(gaze: np.ndarray, fps: float, kept: np.ndarray) -> np.ndarray:
  """Removes noise and keeps glances; blinks are bridged.

  Args:
    gaze: float [F, 2, 2].
    fps: frames per second.
    kept: int [F], rising numbers of the frames; see `smooth_points`.

  Returns:
    float32 [F, 2, 2]; NaN throughout where no frame shows a gaze.
  """
  filled = fill(gaze)
  if filled is None:
    return np.asarray(gaze, np.float32)
  return smooth_points(filled, fps, kept, groups=(np.arange(2),))


def transfer(
  source: np.ndarray, driver: np.ndarray, rest: np.ndarray
) -> np.ndarray:
  """Changes the gaze of a face as a driver's changes.

  Both eyes look where one does: they turn by the mean of the driver's eyes,
  which halves the noise and prevents squinting.

  Args:
    source: float [2, 2], of the face that is moved.
    driver: float [F, 2, 2], without NaN.
    rest: int [N], the frames in which the driver rests.

  Returns:
    float32 [F, 2, 2].
  """
  mean = np.asarray(driver, np.float64).mean(1)
  change = mean - np.median(mean[rest], 0)
  return (np.asarray(source) + change[:, None]).astype(np.float32)


def show(
  image: np.ndarray, points: np.ndarray, gaze: np.ndarray, wanted: np.ndarray
) -> np.ndarray:
  """Moves the irises of a photograph inside the openings of the eyes.

  Between iris and corners the white of the eye is stretched or compressed.
  Nothing is read from beyond the lids: what they hid of an iris is continued
  from its edge.

  Args:
    image: uint8 [H, W, 3].
    points: float [68, 2], pixels.
    gaze: float [2, 2], as it is in the image; NaN leaves an eye as it is.
    wanted: float [2, 2].

  Returns:
    uint8 [H, W, 3]; the image itself where no eye moves.
  """
  shown = image
  for members, before, after in zip(_EYES, gaze, wanted, strict=True):
    if not np.isfinite([before, after]).all():
      continue
    change = np.clip(after - before, -_MAX_CHANGE, _MAX_CHANGE)
    limit = np.maximum(_MAX_GAZE, np.abs(before))
    after = np.clip(before + change, -limit, limit)
    if np.abs(after - before).max() < 1e-3:
      continue
    shown = image.copy() if shown is image else shown
    _move_iris(shown, image, points[list(members)], before, after)
  return shown


def _move_iris(shown, image, outline, before, after):
  """Changes one eye of `shown` in place; outline: float [6, 2]."""
  outline = np.asarray(outline, np.float64)
  middle = (outline[0] + outline[3]) / 2
  frame = _frame(outline[0], outline[3])
  square = frame[0] @ frame[0]
  low = np.maximum(np.floor(outline.min(0)).astype(int) - 2, 0)
  high = np.ceil(outline.max(0)).astype(int) + 2
  high = np.minimum(high, image.shape[1::-1])
  lids = (outline - middle) @ frame.T / square  # [6, 2], corners at +-0.5
  if (high <= low).any() or (lids[4:] - lids[2:0:-1])[:, 1].max() < _MIN_OPEN:
    return
  columns, rows = (
    np.arange(*span) + 0.5 for span in zip(low, high, strict=True)
  )
  places = np.stack(np.meshgrid(columns, rows), -1) - middle
  u, v = np.moveaxis(places @ frame.T / square, -1, 0)
  from_u, from_v = _look_up(u, v, lids, before, after)
  moved = np.stack([from_u - u, from_v - v], -1) @ frame  # pixels
  places = (places + middle + moved - 0.5).astype(np.float32)
  eye = cv2.remap(
    image,
    *np.moveaxis(places, -1, 0),
    interpolation=cv2.INTER_CUBIC,
    borderMode=cv2.BORDER_REPLICATE,
  )
  share = host_raster.coverage(outline - low, *(high - low))
  patch = shown[low[1] : high[1], low[0] : high[0]]
  patch[:] = np.round(patch + share * (eye.astype(np.float32) - patch))


def _look_up(u, v, lids, before, after):
  """Where every place of an eye comes from; in the units of gaze."""
  (x, y), (to_x, to_y) = before, after
  knots = np.array([-0.5, to_x - _RADIUS, to_x + _RADIUS, 0.5])
  were = np.array([-0.5, x - _RADIUS, x + _RADIUS, 0.5])
  from_u = np.interp(u, knots, were)
  from_v = v - (to_y - y) * np.interp(u, knots, [0.0, 1.0, 1.0, 0.0])

  def upper(at):
    return np.interp(at, lids[:4, 0], lids[:4, 1])

  def lower(at):
    return np.interp(at, lids[[0, 5, 4, 3], 0], lids[[0, 5, 4, 3], 1])

  # As deep below a lid as the place itself, or beyond its lashes.
  least = upper(from_u) + np.minimum(v - upper(u), _LASHES)
  most = lower(from_u) - np.minimum(lower(u) - v, _LASHES)
  centre = (least + most) / 2
  return from_u, np.clip(
    from_v, np.minimum(least, centre), np.maximum(most, centre)
  )
