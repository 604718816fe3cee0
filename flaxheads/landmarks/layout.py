"""The 68-point layout (iBUG 300-W): groups, strokes, mirror permutation.

Points are float32 [..., 68, 2] as (x, y) in pixels. The origin is the upper
left corner of the image, so pixel centres lie at half-integers and resizing
an image multiplies its points.
"""

import numpy as np

NUM_POINTS = 68

JAW = tuple(range(0, 17))  # from the image's left ear to its right ear
LEFT_BROW = tuple(range(17, 22))  # 'left' as seen in the image
RIGHT_BROW = tuple(range(22, 27))
NOSE_BRIDGE = tuple(range(27, 31))
NOSE_BASE = tuple(range(31, 36))
LEFT_EYE = tuple(range(36, 42))
RIGHT_EYE = tuple(range(42, 48))
OUTER_LIPS = tuple(range(48, 60))
INNER_LIPS = tuple(range(60, 68))

# (points, closed) for every stroke of a landmark image.
STROKES = (
  (JAW, False),
  (LEFT_BROW, False),
  (RIGHT_BROW, False),
  (NOSE_BRIDGE, False),
  (NOSE_BASE, False),
  (LEFT_EYE, True),
  (RIGHT_EYE, True),
  (OUTER_LIPS, True),
  (INNER_LIPS, True),
)

# Points of the upper lid and the one below each.
LEFT_LIDS, RIGHT_LIDS = ((37, 41), (38, 40)), ((43, 47), (44, 46))

# RGB in [0, 1] for every stroke. One colour per part is the paper's choice, the
# colours are ours.
STROKE_COLOURS = (
  (0.0, 1.0, 0.0),
  (1.0, 0.5, 0.0),
  (1.0, 1.0, 0.0),
  (0.0, 0.5, 1.0),
  (0.0, 1.0, 1.0),
  (1.0, 0.0, 1.0),
  (0.5, 0.0, 1.0),
  (1.0, 0.0, 0.0),
  (1.0, 0.5, 0.5),
)


def _segments():
  starts, ends, colours = [], [], []
  for (points, closed), colour in zip(STROKES, STROKE_COLOURS, strict=True):
    pairs = list(zip(points[:-1], points[1:], strict=True))
    if closed:
      pairs.append((points[-1], points[0]))
    for start, end in pairs:
      starts.append(start)
      ends.append(end)
      colours.append(colour)
  return (np.array(starts), np.array(ends), np.array(colours, np.float32))


# Index of the first point, of the second, and RGB of each segment: [S], [S],
# [S, 3] with S = 67.
SEGMENT_STARTS, SEGMENT_ENDS, SEGMENT_COLOURS = _segments()


def _mirror():
  mirror = np.arange(NUM_POINTS)
  mirror[0:17] = np.arange(16, -1, -1)
  mirror[17:27] = np.arange(26, 16, -1)
  mirror[31:36] = np.arange(35, 30, -1)
  mirror[36:40], mirror[42:46] = (45, 44, 43, 42), (39, 38, 37, 36)
  mirror[40:42], mirror[46:48] = (47, 46), (41, 40)
  mirror[48:55] = np.arange(54, 47, -1)
  mirror[55:60] = np.arange(59, 54, -1)
  mirror[60:65] = np.arange(64, 59, -1)
  mirror[65:68] = np.arange(67, 64, -1)
  return mirror


# points[..., MIRROR, :] with x -> width - x are the points of the flipped
# image.
MIRROR = _mirror()


def inter_ocular_distance(points):
  """Distance between the outer eye corners, 36 and 45.

  Args:
    points: float [..., 68, 2] in pixels.

  Returns:
    float [...], in pixels: the usual normaliser of landmark errors (300-W).
  """
  difference = points[..., 36, :] - points[..., 45, :]
  return (difference**2).sum(-1) ** 0.5
