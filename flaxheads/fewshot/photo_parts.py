"""Which of several photographs shows mouth, eyes and the rest best.

A photograph is chosen for each part and frame by how alike the landmarks of
that part are. A choice changes only for one that is clearly better, and fades
over a few frames, so that neighbouring frames do not flicker.
"""

import numpy as np

from flaxheads.landmarks import layout

# Landmarks of a part; None for all of them, the rest of the image.
PARTS = {
  'rest': None,
  'mouth': (*layout.OUTER_LIPS, *layout.INNER_LIPS),
  'eyes': (*layout.LEFT_EYE, *layout.RIGHT_EYE),
}
# Of the whole face's distance in the cost of a part: the same opening of a head
# in the same pose is better than in another one.
_WHOLE = 0.15
_BETTER = 0.8  # of the present choice's cost, to replace it
_FADE = 0.5  # of the way to a new choice in each frame
_NEGLIGIBLE = 0.05


def _part_shape(points, members):
  """A part's points upright, about their middle, in eye distances."""
  eyes = points[:, 45] - points[:, 36]
  unit = eyes @ (1, 1j)
  shape = points[:, list(members)] @ (1, 1j)
  return (shape - shape.mean(1, keepdims=True)) / unit[:, None]


def part_costs(support_points, points) -> dict[str, np.ndarray]:
  """How unlike every photograph is to every frame, for each part.

  Args:
    support_points: float [T, 68, 2], pixels.
    points: float [F, 68, 2], pixels of frames of the same size.

  Returns:
    float [F, T] for each of PARTS, in eye distances.
  """
  support = np.asarray(support_points, np.float64)
  points = np.asarray(points, np.float64)
  eyes = np.linalg.norm(points[:, 45] - points[:, 36], axis=-1)[:, None]
  whole = np.linalg.norm(points[:, None] - support[None], axis=-1).mean(-1)
  whole = whole / np.maximum(eyes, 1e-6)
  costs = {}
  for part, members in PARTS.items():
    if members is None:
      costs[part] = whole
      continue
    there, here = (_part_shape(p, members) for p in (points, support))
    apart = np.abs(there[:, None] - here[None]).mean(-1)
    costs[part] = apart + _WHOLE * whole
  return costs


class PartChooser:
  """Chooses the photographs of one part for frame after frame."""

  def __init__(self):
    self._chosen = None
    self._weights = None

  def __call__(self, costs: np.ndarray) -> np.ndarray:
    """Weights of the photographs in the next frame.

    Args:
      costs: float [T].

    Returns:
      float64 [T], their sum is 1; most are 0.
    """
    best = int(np.argmin(costs))
    if self._chosen is None:
      self._chosen, self._weights = best, np.eye(len(costs))[best]
    elif costs[best] < _BETTER * costs[self._chosen]:
      self._chosen = best
    wanted = np.eye(len(costs))[self._chosen]
    self._weights = self._weights + _FADE * (wanted - self._weights)
    self._weights[self._weights < _NEGLIGIBLE] = 0
    self._weights /= self._weights.sum()
    return self._weights.copy()
