"""Landmark error: distance of a generated face from the driving landmarks."""

from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy.spatial import ConvexHull, QhullError

from flaxheads.errors import UserError
from flaxheads.landmarks import layout
from flaxheads.landmarks.detect import find_faces
from flaxheads.metrics.checks import check_frames

# Detectors are trained on larger faces than a 64x64 image holds.
DETECTION_SIZE = 256  # pixels


def _check_points(name, points):
  points = np.asarray(points, np.float64)
  if points.shape[-2:] != (layout.NUM_POINTS, 2):
    raise UserError(
      f'{name}: shape {points.shape} given;'
      f' [..., {layout.NUM_POINTS}, 2] is needed'
    )
  return points


def landmark_error(predicted, truth):
  """Normalised mean error (NME) of 300-W.

  Args:
    predicted: float [..., 68, 2] in pixels.
    truth: the same shape.

  Returns:
    float64 [...]: mean distance of the points over the distance of the outer
    eye corners of `truth`; 0.05 is 5 % of that distance.

  Raises:
    UserError: wrong or different shapes, or eye corners of `truth` that
      coincide.
  """
  predicted = _check_points('predicted', predicted)
  truth = _check_points('truth', truth)
  if predicted.shape != truth.shape:
    raise UserError(
      f'predicted {predicted.shape} and truth {truth.shape} differ in shape'
    )
  scale = layout.inter_ocular_distance(truth)
  if not np.all(scale > 0):
    raise UserError('truth: the outer eye corners of a face coincide')
  distance = np.linalg.norm(predicted - truth, axis=-1)  # [..., 68]
  return distance.mean(-1) / scale


class DetectedError(NamedTuple):
  """Landmark error of detected faces.

  Attributes:
    mean: over the frames with a face; NaN where none has one.
    failure_rate: share of frames without a face, in [0, 1]. A method that
      fails on the hard frames has a flattering mean: read the two together.
    errors: float64 [F], NaN for frames without a face.
  """

  mean: float
  failure_rate: float
  errors: np.ndarray


def detect_points(frames, detector) -> np.ndarray:
  """Detects the largest face of every frame.

  Args:
    frames: uint8 [F, S, S, 3].
    detector: a function of uint8 [H, W, 3] that returns faces, the largest
      first; see flaxheads.landmarks.detect.

  Returns:
    float64 [F, 68, 2] in pixels of the frames; NaN for a frame without a face.

  Raises:
    UserError: wrong shapes or types.
  """
  frames = check_frames(frames)
  points = np.full((len(frames), layout.NUM_POINTS, 2), np.nan)
  scale = max(1.0, DETECTION_SIZE / min(frames.shape[1:3]))
  enlarged = [_enlarge(frame, scale) for frame in frames]
  for i, faces in enumerate(find_faces(detector, enlarged)):
    if faces:
      points[i] = np.asarray(faces[0].points, np.float64) / scale
  return points


def detected_landmark_error(found, truth) -> DetectedError:
  """Compares detected faces with the driving points.

  For real clips `truth` is what a detector found in the real frames, so an
  error here is a disagreement of detections, and the error of the real frames
  themselves is the floor to compare with.

  Args:
    found: float [F, 68, 2] of `detect_points`.
    truth: float [F, 68, 2] in pixels of the frames.

  Returns:
    DetectedError.

  Raises:
    UserError: wrong shapes.
  """
  found, truth = _check_points('found', found), _check_points('truth', truth)
  if len(found) != len(truth) or not len(found):
    raise UserError(
      f'{len(found)} frames for {len(truth)} sets of points;'
      ' one set a frame is needed'
    )
  errors = landmark_error(found, truth)
  faces = ~np.isnan(errors)
  mean = float(errors[faces].mean()) if faces.any() else float('nan')
  return DetectedError(mean, float(1 - faces.mean()), errors)


def keypoint_distance(found, found_in_truth, truth) -> np.ndarray:
  """Distance of points detected in two images: AKD, before its mean.

  Siarohin et al. 2019, "First Order Motion Model for Image Animation",
  section 4.1, here divided by the distance of the outer eye corners. The same
  detector runs on both images, so that its bias for a face, which is part
  of `detected_landmark_error`, cancels.

  Args:
    found: float [F, 68, 2] of `detect_points` in generated frames.
    found_in_truth: the same in the true frames.
    truth: float [F, 68, 2], the points of the true frames, for the scale.

  Returns:
    float64 [F]; NaN where either image has no face.

  Raises:
    UserError: wrong or different shapes.
  """
  found = _check_points('found', found)
  found_in_truth = _check_points('found_in_truth', found_in_truth)
  truth = _check_points('truth', truth)
  if not found.shape == found_in_truth.shape == truth.shape:
    raise UserError(
      f'found {found.shape}, found_in_truth {found_in_truth.shape} and truth'
      f' {truth.shape} differ in shape'
    )
  distance = np.linalg.norm(found - found_in_truth, axis=-1)  # [F, 68]
  return distance.mean(-1) / layout.inter_ocular_distance(truth)


def _enlarge(frame, scale):
  if scale == 1:
    return frame
  height, width = (round(n * scale) for n in frame.shape[:2])
  image = Image.fromarray(frame).resize(
    (width, height), Image.Resampling.BICUBIC
  )
  return np.asarray(image)


def face_mask(points, image_size: int) -> np.ndarray:
  """Pixels whose centre lies in the convex hull of the landmarks.

  Args:
    points: float [..., 68, 2] in pixels; may lie outside the image.
    image_size: S, pixels.

  Returns:
    bool [..., S, S], brows to chin; empty where the points span no area.
  """
  points = _check_points('points', points)
  centres = np.arange(image_size) + 0.5
  x, y = np.meshgrid(centres, centres)  # [S, S], varying along columns, rows
  masks = [
    _inside_hull(face, x, y) for face in points.reshape(-1, *points.shape[-2:])
  ]
  return np.array(masks, bool).reshape(
    *points.shape[:-2], image_size, image_size
  )


def _inside_hull(face, x, y):
  try:
    # Rows (nx, ny, offset): outward normals of the hull's edges.
    edges = ConvexHull(face).equations
  except QhullError:
    return np.zeros(x.shape, bool)
  inside = np.ones(x.shape, bool)
  for nx, ny, offset in edges:
    inside &= nx * x + ny * y + offset <= 0
  return inside
