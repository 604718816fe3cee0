"""Identity: cosine similarity of embeddings of aligned faces."""

from typing import NamedTuple

import cv2
import numpy as np

from flaxheads.errors import UserError
from flaxheads.landmarks import layout
from flaxheads.metrics.checks import check_faces


class Template(NamedTuple):
  """Where a network wants a face.

  Attributes:
    points: float [5, 2], eye centres, tip of the nose and corners of the
      mouth, in pixels whose centres lie at integers.
    size: side of the aligned image, pixels.
  """

  points: np.ndarray
  size: int


# insightface's `arcface_dst`, which OpenCV's FaceRecognizerSF uses for SFace.
ARCFACE = Template(
  np.array(
    [
      [38.2946, 51.6963],
      [73.5318, 51.5014],
      [56.0252, 71.7366],
      [41.5493, 92.3655],
      [70.7299, 92.2041],
    ]
  ),
  112,
)
# dlib's chip of 150 pixels with a padding of 0.25 is aligned by 51 points. On
# nine real faces dlib 20.0.1 puts these five here, with deviations of 2 pixels.
DLIB = Template(
  np.array(
    [[49.3, 46.7], [100.7, 46.7], [75.0, 74.8], [56.7, 107.0], [93.3, 107.0]]
  ),
  150,
)
_NOSE_TIP, _MOUTH_LEFT, _MOUTH_RIGHT = 30, 48, 54
_QUARTER = np.array([-1.0, 1.0])  # of a turn, after x and y have changed places


def _average(points) -> np.ndarray:
  row = np.zeros(layout.NUM_POINTS)
  row[list(points)] = 1 / len(points)
  return row


_FIVE = np.stack(
  [
    _average(layout.LEFT_EYE),
    _average(layout.RIGHT_EYE),
    *(_average([i]) for i in (_NOSE_TIP, _MOUTH_LEFT, _MOUTH_RIGHT)),
  ]
)


def five_points(points):
  """Eye centres, tip of the nose and corners of the mouth.

  Args:
    points: float [..., 68, 2], of numpy or JAX.

  Returns:
    The same [..., 5, 2], in the order of Template.
  """
  return _FIVE @ points


def similarity(source, target):
  """The rotation, scale and shift that bring points nearest to others.

  Least squares over x' = s R x + t without reflection: in the plane a linear
  problem in (s cos, s sin, t), the same solution as Umeyama 1991's there.

  Args:
    source: float [..., N, 2], of numpy or JAX; not all in one place.
    target: float [..., N, 2].

  Returns:
    (s cos [...], s sin [...], t [..., 2]).
  """
  mean_s, mean_t = source.mean(-2), target.mean(-2)
  s, t = source - mean_s[..., None, :], target - mean_t[..., None, :]
  size = (s * s).sum((-2, -1))
  cosine = (s * t).sum((-2, -1)) / size
  sine = (s[..., 0] * t[..., 1] - s[..., 1] * t[..., 0]).sum(-1) / size
  # As complex numbers: t = mean_t - (cos + i sin) mean_s.
  turned = cosine[..., None] * mean_s + sine[..., None] * (
    mean_s[..., ::-1] * _QUARTER
  )
  return cosine, sine, mean_t - turned


def similarity_transform(source, target):
  """The matrix of `similarity` for one face.

  Args:
    source: float [N, 2].
    target: float [N, 2].

  Returns:
    float64 [2, 3], [s R | t].

  Raises:
    ValueError: all source points lie in one place.
  """
  if not np.square(source - source.mean(0)).sum() > 0:
    raise ValueError('all points lie in one place')
  cosine, sine, shift = similarity(source, target)
  turn = np.array([[cosine, -sine], [sine, cosine]])
  return np.concatenate([turn, shift[:, None]], 1)


def align(frames, points, template: Template = ARCFACE) -> np.ndarray:
  """Brings faces to where a network expects them.

  Args:
    frames: uint8 [F, H, W, 3], RGB.
    points: float [F, 68, 2] in pixels, centres at half-integers (layout.py).
    template: of the network.

  Returns:
    float32 [F, size, size, 3] in [0, 1]; black outside of the frame.

  Raises:
    UserError: other shapes or types, or points that do not make a face.
  """
  frames, points = check_faces(frames, points)
  size = (template.size, template.size)
  aligned = np.empty((len(frames), *size, 3), np.float32)
  for i, frame in enumerate(frames):
    # OpenCV's pixel centres lie at integers.
    source = five_points(points[i].astype(np.float64)) - 0.5
    try:
      matrix = similarity_transform(source, template.points)
    except ValueError as error:
      raise UserError(f'points: of frame {i}: {error}') from None
    if not np.isfinite(matrix).all():
      raise UserError(f'points: of frame {i}: not finite')
    aligned[i] = cv2.warpAffine(np.ascontiguousarray(frame), matrix, size)
  return aligned / 255


def cosine_similarity(a, b) -> np.ndarray:
  """CSIM, where `a` and `b` are embeddings of aligned faces.

  Args:
    a: float [..., D].
    b: float [..., D].

  Returns:
    float64 [...] in [-1, 1].

  Raises:
    UserError: an embedding of zero, or numbers that are not finite.
  """
  a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
  lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
  if not (np.all(lengths > 0) and np.isfinite(lengths).all()):
    raise UserError('embeddings: zero or not finite; have they been computed?')
  return np.clip((a * b).sum(-1) / lengths, -1, 1)
