"""Chooses the frames of a record that train the bi-layer generator.

Mouths and lids should differ between the two frames. The head should not turn
so far that the photograph's pixels are useless, or else inpainting of cheeks
takes the whole capacity. In a share of the samples little or nothing moves.
"""

import functools
from typing import NamedTuple

import numpy as np

from flaxheads.landmarks import head_mesh, layout

NUM_VERTICES = head_mesh.NUM_VERTICES
# vertices[..., MIRROR, :] are those of the mirrored head.
MIRROR = head_mesh.MIRROR[:NUM_VERTICES]
_CANDIDATES = 5  # pairs, of which the most instructive is taken
_ANY_PAIR = 0.25  # of the moving samples: the first candidate
_SAME_FRAME = 0.4  # of the still samples: the others take a neighbour
_FRAMES_OF_REST = 8  # that tell the face at rest
_FITTED_RECORDS = 1024  # kept; some 30 kB each
# (points that part, weight, the most that counts), in eye distances.
_OPENINGS = (((62, 66), 4.0, 0.8), ((37, 41), 3.0, 0.4))
_TURN_COST = 0.1  # for each degree beyond the limit
_LUCK = 0.2  # so that not always the same pair wins


class _Fitted(NamedTuple):
  vertices: np.ndarray  # float32 [F, V, 3]
  yaw: np.ndarray  # [F], degrees


@functools.lru_cache(maxsize=_FITTED_RECORDS)
def _fit(points_as_bytes: bytes) -> _Fitted:
  points = np.frombuffer(points_as_bytes, np.float32)
  points = points.reshape(-1, layout.NUM_POINTS, 2)
  few = np.linspace(0, len(points) - 1, min(len(points), _FRAMES_OF_REST))
  rest = head_mesh.fit_head(points[few.round().astype(int)]).rest
  track = head_mesh.fit_head(points, rest)
  ahead = track.motion.rotation[..., 2]  # [F, 3]
  yaw = np.degrees(np.arctan2(ahead[:, 0], ahead[:, 2]))
  return _Fitted(head_mesh.mesh_vertices(track), yaw)


def _opening(points, pair):
  """Distance of two points in eye distances: [F]."""
  eyes = np.linalg.norm(points[:, 36] - points[:, 45], axis=-1)
  a, b = pair
  return np.linalg.norm(points[:, a] - points[:, b], axis=-1) / eyes


def _choose_pair(points, yaw, rng, max_turn):
  """Photograph and target of a sample in which something moves."""
  pairs = np.stack(
    [rng.choice(len(points), 2, replace=False) for _ in range(_CANDIDATES)]
  )
  if rng.random() < _ANY_PAIR:
    return pairs[0]
  turn = np.abs(yaw[pairs[:, 0]] - yaw[pairs[:, 1]])
  worth = _LUCK * rng.random(_CANDIDATES)
  worth -= _TURN_COST * np.maximum(0, turn - max_turn)
  for pair, weight, most in _OPENINGS:
    opening = _opening(points, pair)
    change = np.abs(opening[pairs[:, 0]] - opening[pairs[:, 1]])
    worth += np.minimum(weight * change, most)
  return pairs[worth.argmax()]


class MeshPairs(NamedTuple):
  """Chooses frames; see `episodes.FrameChoice`.

  Attributes:
    still_share: of the samples: target and photograph the same frame, or
      neighbours in the record.
    max_turn: degrees of yaw between the two; more are taken rarely.
  """

  still_share: float
  max_turn: float

  def __call__(self, points, num_support: int, rng):
    """Photograph, further support frames, target.

    Args:
      points: float32 [F, 68, 2] of a record, F > num_support.
      num_support: K.
      rng: numpy's, of the sample.

    Returns:
      Indices int64 [K+1] and vertices float32 [K+1, V, 3], whose x and y are
      in pixels and whose depth is in cm. In a still sample the target may be
      the photograph itself.
    """
    vertices, yaw = _fit(np.ascontiguousarray(points, np.float32).tobytes())
    if rng.random() >= self.still_share:
      first, target = _choose_pair(points, yaw, rng, self.max_turn)
    elif rng.random() < _SAME_FRAME:
      first = target = rng.integers(len(points))
    else:
      first = rng.integers(len(points) - 1)
      target = first + 1
    others = np.setdiff1d(np.arange(len(points)), (first, target))
    others = rng.choice(others, num_support - 1, replace=False)
    chosen = np.array([first, *others, target])
    return chosen, vertices[chosen]
