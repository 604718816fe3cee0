"""Applies a driver's changes since its own rest to the face of a photograph.

`retarget` gives a person the driver's poses, so a three-quarter portrait turns
to where the driver looks. Here the photograph is the starting point: pose,
brows and what the face model cannot represent change by as much as the driver's
do since its rest. Two things are absolute, because a change could not reach
them: the gap between the lips (a smiling photograph has to close its mouth) and
shut lids.

The driver's rest is not one frame, which may be noisy or the middle of a word:
it is the mean of the tenth of its frames that express least and lie nearest to
the median pose, see `rest_frames`.
"""

from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from flaxheads.landmarks import face_shape, layout, limits
from flaxheads.landmarks.face_shape import Motion
from flaxheads.landmarks.retarget import rescale_expression

_REST_SHARE = 10  # one frame of so many is taken for rest
_POSE_UNIT = 6.0  # degrees from the median pose that count as one std. dev.
# Degrees about the vertical axis by which a cheek's normal is off the face's.
_CHEEK = 55.0
# Of a cheek that turns towards the camera: beyond it, side and ear are missed.
_MAX_CHEEK_STRETCH = 1.35
# Degrees of yaw beyond which the edge of the face cuts off the far eye and the
# far corner of the mouth, for which a mesh has no pixels.
_MAX_YAW = 30.0
_MIN_TURN = 2.0  # degrees that every head turns in every direction
_TURN_BEYOND = 4.0  # degrees that the rest of a turn is squeezed into, at most
# Of the head's place, in distances of the outer eye corners.
_MAX_SHIFT, _SHIFT_BEYOND = 0.5, 0.25
_MIN_ZOOM, _MAX_ZOOM = 0.8, 1.25
# How much of what the model does not know of the driver's face is taken over.
# Contours of turned heads are no fixed points of the face: less of the jaw.
_UNKNOWN = np.full(layout.NUM_POINTS, 0.8)
_JAW = list(layout.JAW)
_UNKNOWN[_JAW] = 0.4

_EYES = (layout.LEFT_EYE, layout.RIGHT_EYE)
_LID_COLUMNS = (layout.LEFT_LIDS, layout.RIGHT_LIDS)
_UPPER_LID = 0.85  # of a blink; the lower lid does the rest
_SHUT = 0.15  # of the open eye: where detectors see shut lids
_MAX_OPENING = 1.3
_MIN_PHOTO_OPENING = 0.6  # of the rest face's: the photograph may blink
# (upper, lower): inner lips, and the outer ones that go with them.
_LIP_COLUMNS = (
  ((61, 49, 50), (67, 58, 59)),
  ((62, 51), (66, 57)),
  ((63, 52, 53), (65, 55, 56)),
)
_UPPER_LIP = 0.35  # of how far lips that are apart have to go
_JAW_AFTER_LIPS = 0.3
_CLOSED_LIPS = 0.04  # of the mouth's width: where detectors see closed lips


class _Face(NamedTuple):
  """F frames of a face with its points in space, exactly as they are seen.

  Attributes:
    rest: [68, 3], cm.
    motion: of `rest`.
    shape: [F, 68, 3], cm: projected by `motion` they are the points.
    known: [F, 68, 3], the part of `shape` that rest and expression explain.
  """

  rest: np.ndarray
  motion: Motion
  shape: np.ndarray
  known: np.ndarray


def _measure(points, rest):
  """Lifts points [F, 68, 2] to the head's space."""
  motion = face_shape.fit_motion(points, rest)
  known = rest + motion.offsets()
  seen = face_shape.project(known, motion) + motion.shift[:, None]
  apart = np.asarray(points, np.float64) * (1, -1) - seen
  # In the plane of the camera, at the depth of the point: projection finds it.
  away = face_shape.depth(known, motion) / face_shape.DISTANCE
  apart = apart * (1 - np.minimum(away, 0.5))[..., None]
  apart = apart / motion.scale[:, None, None]
  space = apart @ motion.rotation[:, :2]
  return _Face(rest, motion, known + space, known)


def _angles(rotation):
  """Yaw, pitch and roll in degrees, [F, 3]."""
  return Rotation.from_matrix(rotation).as_euler('YXZ', degrees=True)


def _gap(shape, upper, lower):
  return shape[..., upper, 1] - shape[..., lower, 1]


def rest_frames(motion: Motion) -> np.ndarray:
  """The frames in which a face is at rest.

  Args:
    motion: of the F frames of a clip.

  Returns:
    int [N], a tenth of the frames, at least one: those of the least sum of
    squared expression and of the squared angle to the median pose.
  """
  angles = _angles(motion.rotation)
  turned = (angles - np.median(angles, 0)) / _POSE_UNIT
  cost = np.square(motion.expression).sum(1) + np.square(turned).sum(1)
  return np.argsort(cost, kind='stable')[: max(1, len(cost) // _REST_SHARE)]


def turn_limits(pose: np.ndarray) -> np.ndarray:
  """How far a photographed head may turn.

  A cheek that faces away from the camera has few pixels, so a head turns
  towards it only until these are stretched `_MAX_CHEEK_STRETCH` times. In all
  other directions limits.LIMITS count.

  Args:
    pose: [3], yaw, pitch and roll in the photograph, degrees.

  Returns:
    [2, 3], degrees down from the pose and up from it, all positive.
  """
  most = np.array([_MAX_YAW, *limits.LIMITS[1:]]) + np.stack([pose, -pose])
  most = np.maximum(most, _MIN_TURN)
  # Yaw that falls shows the right cheek, yaw that rises the left one.
  hidden = np.clip([_CHEEK + pose[0], _CHEEK - pose[0]], 0.0, 90.0)
  shown = np.cos(np.radians(hidden)) * _MAX_CHEEK_STRETCH
  free = hidden - np.degrees(np.arccos(np.clip(shown, 0.0, 1.0)))
  most[:, 0] = np.clip(free, _MIN_TURN, most[:, 0])
  return most


class RelativeMotion:
  """Moves the face of a photograph as a driver's face changes.

  Attributes:
    rest_frames: int [N], the frames in which the driver rests.
  """

  def __init__(
    self,
    source_points: np.ndarray,
    photo_points: np.ndarray,
    driver_points: np.ndarray,
  ):
    """Measures both faces.

    Args:
      source_points: float [T, 68, 2], pixels: all that is known of the shape
        of the person's face, from images of any size.
      photo_points: float [68, 2], pixels of the photograph that is moved.
      driver_points: float [F, 68, 2], pixels: a clip that shows the driver's
        face and its rest.

    Raises:
      ValueError: another shape, no frame, or numbers that are not finite.
    """
    rest = face_shape.fit_shape(source_points)
    self._photo = _measure(np.asarray(photo_points)[None], rest)
    self._driver_face = face_shape.fit_shape(driver_points)
    driver = _measure(driver_points, self._driver_face)
    self.rest_frames = chosen = rest_frames(driver.motion)
    self._driver_rest = self._change_of(driver).shape[chosen].mean(0)
    self._driver_known = driver.known[chosen][:, _JAW].mean(0)
    self._driver_angles = _angles(driver.motion.rotation[chosen]).mean(0)
    self._driver_scale = np.exp(np.log(driver.motion.scale[chosen]).mean())
    self._driver_shift = driver.motion.shift[chosen].mean(0)
    self._open_lids = [
      np.maximum(_mean_gap(self._driver_rest, eye), 0.1) for eye in _LID_COLUMNS
    ]

  def __call__(self, points: np.ndarray) -> np.ndarray:
    """Moves the photograph's face.

    Args:
      points: float [F, 68, 2], pixels, frames of the driver.

    Returns:
      float32 [F, 68, 2], pixels of the photograph. Where the driver rests with
      its mouth closed, the points of the photograph, if that is closed too.
    """
    driver = self._change_of(_measure(points, self._driver_face))
    change = driver.shape - self._driver_rest
    turn, allowed = self._turns(driver.motion)
    # The contour of a head slides over it as it turns.
    slide = change[:, _JAW] - (driver.known[:, _JAW] - self._driver_known)
    held = 1 - allowed[:, 0] / np.where(turn[:, 0] == 0, 1, turn[:, 0])
    held = np.where(turn[:, 0] == 0, 0, held)
    change[:, _JAW] -= held[:, None, None] * slide
    scale = face_size(self._photo.rest) / face_size(self._driver_face)
    shape = self._photo.shape + scale * rescale_expression(
      change, self._photo.rest, self._driver_face
    )
    shape = self._set_lids(shape, driver.shape)
    shape = self._set_lips(shape, driver.shape)
    motion = self._place(driver.motion, allowed)
    placed = face_shape.project(shape, motion) + motion.shift[:, None]
    return (placed * (1, -1)).astype(np.float32)

  def _change_of(self, driver):
    """Takes over what no model knows in part."""
    unknown = driver.shape - driver.known
    shape = driver.known + _UNKNOWN[:, None] * unknown
    return driver._replace(shape=shape)

  def _turns(self, driver: Motion):
    """Yaw, pitch and roll since the rest, and what of them is allowed."""
    turn = _angles(driver.rotation) - self._driver_angles
    turn = (turn + 180) % 360 - 180
    down, up = turn_limits(_angles(self._photo.motion.rotation)[0])
    most = np.where(turn < 0, down, up)
    beyond = np.minimum(most, _TURN_BEYOND)
    size = limits.squeeze(np.abs(turn), most, beyond)
    return turn, np.sign(turn) * size

  def _place(self, driver: Motion, turn: np.ndarray) -> Motion:
    """Pose, size and place: the photograph's, and the driver's change."""
    photo = self._photo.motion
    angles = _angles(photo.rotation) + turn
    rotation = Rotation.from_euler('YXZ', angles, degrees=True).as_matrix()
    zoom = np.clip(driver.scale / self._driver_scale, _MIN_ZOOM, _MAX_ZOOM)
    unit = photo.scale[0] / self._driver_scale
    moved = (driver.shift - self._driver_shift) * unit
    eyes = photo.scale[0] * np.linalg.norm(
      self._photo.rest[45] - self._photo.rest[36]
    )
    length = np.linalg.norm(moved, axis=1, keepdims=True)
    allowed = limits.squeeze(length / eyes, _MAX_SHIFT, _SHIFT_BEYOND) * eyes
    moved = moved * (allowed / np.maximum(length, 1e-9))
    return Motion(
      rotation,
      photo.scale[0] * zoom,
      photo.shift + moved,
      np.repeat(photo.expression, len(turn), 0),
    )

  def _set_lids(self, shape, driver):
    """Opens every eye by the share that the driver's is open."""
    shape = shape.copy()
    for eye, reference in zip(_LID_COLUMNS, self._open_lids, strict=True):
      share = _mean_gap(driver, eye) / reference  # [F]
      share = np.clip((share - _SHUT) / (1 - _SHUT), 0, _MAX_OPENING)
      for upper, lower in eye:
        least = _MIN_PHOTO_OPENING * _gap(self._photo.rest, upper, lower)
        photo = np.maximum(_gap(self._photo.shape[0], upper, lower), least)
        excess = _gap(shape, upper, lower) - share * photo
        shape[:, upper, 1] -= _UPPER_LID * excess
        shape[:, lower, 1] += (1 - _UPPER_LID) * excess
    return shape

  def _set_lips(self, shape, driver):
    """Parts the lips as the driver's are, whatever the photograph's do."""
    shape = shape.copy()
    photo, face = self._photo.shape[0], self._driver_face
    ours, theirs = mouth_width(self._photo.rest), mouth_width(face)
    lifts = []
    for uppers, lowers in _LIP_COLUMNS:
      upper, lower = uppers[0], lowers[0]
      # Closed lips have a gap of their own, from the detector.
      idle = np.clip(_gap(photo, upper, lower), 0, _CLOSED_LIPS * ours)
      rests = _gap(self._driver_rest, upper, lower)
      rests = np.clip(rests, 0, _CLOSED_LIPS * theirs)
      gap = np.maximum(_gap(driver, upper, lower) - rests, 0)
      excess = _gap(shape, upper, lower) - (idle + gap * ours / theirs)
      shape[:, list(uppers), 1] -= _UPPER_LIP * excess[:, None]
      shape[:, list(lowers), 1] += (1 - _UPPER_LIP) * excess[:, None]
      lifts.append((1 - _UPPER_LIP) * excess)
    weights = _JAW_AFTER_LIPS * limits.WITH_JAW[_JAW]
    shape[:, _JAW, 1] += weights * np.mean(lifts, 0)[:, None]
    return shape


def _mean_gap(shape, columns):
  return np.mean([_gap(shape, *column) for column in columns], 0)


def mouth_width(rest: np.ndarray) -> float:
  """Between the corners of the mouth at rest, cm."""
  return rest[54, 0] - rest[48, 0]


def face_size(rest: np.ndarray) -> float:
  """Of a face at rest, cm: its points' distance to their centre."""
  return float(np.linalg.norm(rest - rest.mean(0)))
