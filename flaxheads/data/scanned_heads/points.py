"""The 68 points of a figure, exact, from the vertices of its mesh.

Each point is a vertex (or the middle of two). The jaw's points differ: where
the head hides them, a detector reports the visible outline instead, and so
does this module. Each of the 17 has a row of vertices from the jaw towards the
cheek; the one that lies furthest out in the image is reported.
"""

import functools

import numpy as np

from flaxheads.data.scanned_heads import camera
from flaxheads.landmarks import layout

# Vertices of MakeHuman's base mesh (hm08), in the order of layout.py.
VERTICES = np.array(
  # jaw
  [5405, 867, 5092, 736, 5240, 893, 891, 5292, 5296, 11898, 7593, 7595]
  + [11849, 7456, 11707, 7572, 12004]
  # brows
  + [3742, 262, 224, 205, 208, 6983, 6980, 6998, 7031, 10410]
  # nose
  + [132, 131, 291, 5054, 344, 313, 317, 7076, 7105]
  # eyes
  + [22, 6, 6763, 4871, 6772, 1067, 11489, 13359, 11467, 6806, 7759, 13368]
  # lips
  + [3736, 5354, 456, 455, 7215, 11956, 10403, 7235, 7241, 492, 486, 480]
  # inner lips
  + [430, 472, 474, 7228, 7190, 7242, 493, 487]
)
_ROW = 12  # vertices of a row
_REACH = 5.0  # cm from the jaw's point towards the cheek


@functools.lru_cache(maxsize=8)
def _rows(landmarks_bytes, place_bytes):
  """Vertices of the 17 rows: int [17, _ROW]."""
  landmarks = np.frombuffer(landmarks_bytes, np.int32)
  place = np.frombuffer(place_bytes, np.float32).reshape(-1, 3)
  rows = []
  for k, vertex in enumerate(landmarks[:17]):
    start = place[vertex]
    # Towards the nose for the sides, straight up for the chin.
    t = np.linspace(0, 1, _ROW)[:, None] * min(_REACH, abs(start[0]))
    way = np.array([-np.sign(start[0]), 0.12, 0.0]) * (k != 8)
    depth = np.array([0, 0, 0.9]) * (k != 8)
    line = start + t * (way + depth)
    front = place[:, 2] > start[2] - 1.0
    far = np.linalg.norm(line[:, None] - place, axis=-1) + 1e3 * ~front
    row = far.argmin(-1)
    row[0] = vertex
    rows.append(row)
  return np.stack(rows)


def project(figure, pose, view, side: int) -> np.ndarray:
  """The 68 points of a pose.

  Args:
    figure: the Figure.
    pose: positions and normals of its vertices, [V, 3] each.
    view: the Camera.
    side: of the image, pixels.

  Returns:
    float [68, 2], (x, y) in pixels.
  """
  positions = pose[0]
  points = camera.project(view, positions[figure.landmarks], side)
  rows = _rows(figure.landmarks.tobytes(), _reference(figure).tobytes())
  outline = camera.project(view, positions[rows], side)  # [17, R, 2]
  # Outwards: from the bridge of the nose, level with the eyes.
  across = points[45] - points[36]
  across = across / np.linalg.norm(across)
  out = outline @ across  # [17, R]
  sign = np.sign(np.arange(17) - 8)[:, None]
  furthest = np.where(sign == 0, 0, (sign * out).argmax(-1)[:, None])[:, 0]
  points[list(layout.JAW)] = outline[np.arange(17), furthest]
  return points


def _reference(figure):
  """Places of the skin's vertices on the average person: [num_skin, 3]."""
  place = np.zeros((figure.num_skin, 3), np.float32)
  of_skin = figure.source < figure.num_skin
  place[figure.source[of_skin]] = figure.place[of_skin]
  return place
