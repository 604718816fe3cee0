"""A triangle mesh of the head about the 68 points, fitted on the host.

The vertices are the 68 points themselves, then NUM_RIGID vertices of hairline,
hair, neck and a halo, which follow the fitted pose of the head, then
NUM_BORDER anchors outside of the image, which stay. The topology is fixed and
mirror-symmetric; upper and lower lips and lids share no triangle, so that
mouths and eyes open and shut along their edges.

`fit_head` and `mesh_vertices` are numpy; flaxheads.landmarks.head_warp
rasterises the mesh on the device.
"""

import functools
from typing import NamedTuple

import numpy as np
from scipy.spatial import Delaunay

from flaxheads.landmarks import face_shape, layout

# Labels of triangles.
HEAD, MOUTH, EYE, BACKGROUND = range(4)

_BORDER_INTERVALS = 4  # between anchors along a side
_BORDER_OUTSIDE = 0.3  # of the side; nearer anchors would fold the mesh
_BORDER_DEPTH = -30.0  # cm
# A person's head against the average one, from the width of the face and from
# the height between chin and brows.
_MIN_SCALE, _MAX_SCALE = 0.7, 1.4
# Vertices that follow the head by less belong to the background.
_MIN_HEAD_SHARE = 0.6
# Points of upper lids, whose vertices lie below the lashes, and of lower lids.
UPPER_LIDS, _LOWER_LIDS = map(
  list, zip(*layout.LEFT_LIDS, *layout.RIGHT_LIDS, strict=True)
)
_LASHES = 0.2  # of the opening of the eye, which upper lashes reach into
_SMILE = 0.4  # cm that the corners of the canonical mouth are raised


def _make_template():
  """Rigid vertices of the average head: x, y, z in cm, and their share."""

  def arc(count, radius, base, rise, depth, bulge, share):
    angles = np.linspace(0, np.pi, count)
    return [
      (
        -radius * np.cos(a),
        base + rise * np.sin(a),
        depth + bulge * np.sin(a),
        share,
      )
      for a in angles
    ]

  hairline = arc(7, 7.0, 2.6, 4.6, 3.5, 5.0, 1.0)
  hair = arc(9, 9.6, 1.5, 10.8, -1.0, 1.5, 1.0)
  # Still backgrounds on six real clips at 128x128: shares of 0.55, 0.3 and 0.1
  # reach 24.57, 24.62 and 24.63 dB at T = 1; 21.13, 21.23 and 21.27 dB from
  # the frame that is farthest. Long hair wants some.
  halo = arc(9, 13.0, 0.0, 15.5, -2.0, 0.0, 0.2)
  sides = [
    (side * x, y, z, share)
    for side in (-1, 1)
    for x, y, z, share in (
      (9.0, -4.0, -2.0, 1.0),
      (8.0, -8.5, -2.0, 0.8),
      (12.5, -6.0, -3.0, 0.45),
      (6.0, -13.5, -1.0, 0.45),
      (12.0, -14.0, -3.0, 0.2),
    )
  ]
  return np.array(hairline + hair + halo + sides + [(0.0, -14.0, 2.0, 0.5)])


_TEMPLATE = _make_template()
NUM_RIGID = len(_TEMPLATE)
NUM_VERTICES = layout.NUM_POINTS + NUM_RIGID  # without the border
NUM_BORDER = 4 * _BORDER_INTERVALS
# By which share of the head's rigid motion every vertex is moved, [V]: the 68
# points move as they do, halo and neck follow the head in part.
SHARES = np.concatenate([np.ones(layout.NUM_POINTS), _TEMPLATE[:, 3]])


# Rigid vertices stay outside of the face by these multiples of its extent.
_CLEARANCE = np.select(
  [
    np.hypot(*_TEMPLATE[:, :2].T) < 9.0,  # hairline and throat
    SHARES[layout.NUM_POINTS :] >= _MIN_HEAD_SHARE,
  ],
  [0.0, 1.1],
  1.3,
)


def border(image_size: float) -> np.ndarray:
  """Anchors about an image: float64 [NUM_BORDER, 2], pixels."""
  steps = np.linspace(0, 1, _BORDER_INTERVALS + 1)[:-1]
  zeros, ones = np.zeros_like(steps), np.ones_like(steps)
  sides = [(steps, zeros), (ones, steps), (1 - steps, ones), (zeros, 1 - steps)]
  square = np.concatenate([np.stack(side, -1) for side in sides])
  return ((1 + 2 * _BORDER_OUTSIDE) * square - _BORDER_OUTSIDE) * image_size


def place_vertices(source, target, image_size: float, xp=np):
  """Adds the border, and holds back vertices that follow the head in part.

  Args:
    source: float [..., V, 3], of `mesh_vertices`; its depth is not read.
    target: float [..., V, 3], in an image of the same size.
    image_size: of both, pixels.
    xp: numpy or jax.numpy.

  Returns:
    Source [..., V + NUM_BORDER, 2] and target [..., V + NUM_BORDER, 3].
  """
  shares = SHARES[:, None].astype(np.float32)
  anchors = np.full((NUM_BORDER, 3), _BORDER_DEPTH, np.float32)
  anchors[:, :2] = border(image_size)
  anchors = xp.broadcast_to(anchors, (*target.shape[:-2], *anchors.shape))
  source = source[..., :2]
  places = source + shares * (target[..., :2] - source)
  target = xp.concatenate([places, target[..., 2:]], -1)
  return (
    xp.concatenate([source, anchors[..., :2]], -2),
    xp.concatenate([target, anchors], -2),
  )


def _make_mirror():
  def partners(places, mirrored):
    return np.abs(places[:, None] - mirrored[None]).sum(-1).argmin(1)

  template, square = _TEMPLATE[:, :3], border(1.0)
  rigid = partners(template, template * (-1, 1, 1))
  anchors = partners(square, (1, 0) + square * (-1, 1))
  return np.concatenate(
    [layout.MIRROR, layout.NUM_POINTS + rigid, NUM_VERTICES + anchors]
  )


# vertices[..., MIRROR, :] with x -> width - x are those of the flipped image.
# [V + NUM_BORDER]; the first V entries permute the vertices without the border.
MIRROR = _make_mirror()


class HeadTrack(NamedTuple):
  """A head in F frames.

  Attributes:
    points: float64 [F, 68, 2], pixels, y down.
    rest: float64 [68, 3], the face at rest, cm; see landmarks/face_shape.py.
    motion: of `rest` in the F frames.
  """

  points: np.ndarray
  rest: np.ndarray
  motion: face_shape.Motion


def fit_head(points: np.ndarray, rest: np.ndarray | None = None) -> HeadTrack:
  """Fits the pose and the expression of a head in every frame.

  Args:
    points: float [F, 68, 2], pixels.
    rest: float [68, 3], the face at rest, where it is known from other frames.

  Raises:
    ValueError: another shape, no frame, or numbers that are not finite.
  """
  if rest is None:
    rest = face_shape.fit_shape(points)
  motion = face_shape.fit_motion(points, rest)
  return HeadTrack(np.asarray(points, np.float64), rest, motion)


def mesh_vertices(track: HeadTrack) -> np.ndarray:
  """The vertices of the mesh in every frame.

  Args:
    track: HeadTrack of F frames.

  Returns:
    float32 [F, V, 3]: x and y in pixels, depth in cm (larger is nearer). The
    68 points come first, those of the upper lids lowered to the ends of the
    lashes; the rigid vertices follow the head fully, for the warp knows their
    shares.
  """
  _, rest, motion = track
  template = _TEMPLATE[:, :3] * _head_scale(rest)
  rigid = face_shape.project(template, motion) + motion.shift[:, None]
  depth = np.concatenate(
    [
      face_shape.depth(rest + motion.offsets(), motion),
      face_shape.depth(template, motion),
    ],
    1,
  )
  rigid = _keep_outside(rigid * (1, -1), track.points)
  places = np.concatenate([_with_lashes(track.points), rigid], 1)
  return np.concatenate([places, depth[..., None]], -1).astype(np.float32)


def _with_lashes(points):
  """Moves the edges of the upper lids below the lashes.

  Detected points lie above the lashes. There these would belong to the opening
  of the eye and vanish with it, so that shut eyes would have no dark line.
  """
  points = points.copy()
  opening = points[:, _LOWER_LIDS] - points[:, UPPER_LIDS]
  points[:, UPPER_LIDS] += _LASHES * opening
  return points


def _keep_outside(rigid, points):
  """Moves hair and halo away from the face where it would cover them.

  The far cheek of a turned head reaches beyond the hair behind it. Background
  would then come from pixels of the face, and show it twice.
  """
  centre = points.mean(1, keepdims=True)
  away = rigid - centre  # [F, R, 2]
  length = np.linalg.norm(away, axis=-1)
  # How far the face reaches in the direction of each vertex.
  reach = np.einsum('frc,fpc->frp', away, points - centre).max(-1)
  reach = reach / np.maximum(length, 1e-6)
  grown = np.maximum(_CLEARANCE * reach / np.maximum(length, 1e-6), 1)
  return centre + away * grown[..., None]


def _head_scale(rest):
  """Of this head against the template's, [3]."""
  mean = face_shape.statistics().mean

  def width(face):
    return np.linalg.norm(face[16] - face[0])

  def height(face):
    return face[19:25, 1].mean() - face[8, 1]

  across, along = width(rest) / width(mean), height(rest) / height(mean)
  return np.clip([across, along, across], _MIN_SCALE, _MAX_SCALE)


class Topology(NamedTuple):
  """Which vertices form the mesh.

  Attributes:
    triangles: int32 [M, 3], indices of vertices (the border included),
      clockwise as seen in the image of a head that looks ahead.
    labels: int32 [M], HEAD, MOUTH, EYE or BACKGROUND.
    outlines: closed loops of vertices about the head, the mouth, and the left
      and the right eye, in the same sense as the triangles.
  """

  triangles: np.ndarray
  labels: np.ndarray
  outlines: tuple[tuple[int, ...], ...]


def _canonical_places():
  """[V + NUM_BORDER, 2], x in [-1, 1]: a face with an open mouth, symmetric."""
  mean = face_shape.statistics().mean
  face = mean[:, :2] * (1, -1)
  face = (face + face[layout.MIRROR] * (-1, 1)) / 2
  face[5:12, 1] += 1.2  # the jaw drops
  # Lips as ellipses: with closed ones triangles would cross the mouth.
  middle = face[48:60].mean(0) + (0, 0.4)
  for lips, wide, up, down in (
    (layout.OUTER_LIPS, 2.6, 1.7, 2.3),
    (layout.INNER_LIPS, 1.9, 0.7, 1.3),
  ):
    # From the left corner over the upper lip to the right one, and back.
    angles = -np.pi + 2 * np.pi * np.arange(len(lips)) / len(lips)
    high = np.where(np.sin(angles) < -1e-9, up, down) * np.sin(angles)
    # Corners raised as in a smile: from level ones, a triangle to the jaw is
    # folded in a third of all frames.
    high = high - _SMILE * np.abs(np.cos(angles))
    face[list(lips)] = middle + np.stack([wide * np.cos(angles), high], -1)
  rigid = _TEMPLATE[:, :2] * (1, -1)
  anchors = border(32.0) - (16.0, 14.0)
  return np.concatenate([face, rigid, anchors])


def _triangulate(places):
  """Triangles of the left half and their mirror images: symmetric."""
  left = np.flatnonzero(places[:, 0] < 1e-6)
  half = places[left]
  # The middle line is the half's hull, made convex so that it stays whole.
  height = np.abs(half[:, 1]).max() + 1
  middle = np.abs(half[:, 0]) < 1e-6
  half = half + np.stack(
    [middle * 1e-4 * (1 - (half[:, 1] / height) ** 2), 0 * half[:, 1]], -1
  )
  triangles = left[Delaunay(half).simplices]
  corners = places[triangles]
  edges = corners[:, 1:] - corners[:, :1]
  area = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
  triangles = np.where((area > 0)[:, None], triangles, triangles[:, ::-1])
  return np.concatenate([triangles, MIRROR[triangles][:, ::-1]])


def _label(triangles):
  def within(vertices):
    return np.isin(triangles, vertices).all(1)

  shares = np.concatenate([SHARES, np.zeros(NUM_BORDER)])
  labels = np.full(len(triangles), HEAD)
  labels[(shares[triangles] < _MIN_HEAD_SHARE).any(1)] = BACKGROUND
  labels[within(layout.INNER_LIPS)] = MOUTH
  labels[within(layout.LEFT_EYE) | within(layout.RIGHT_EYE)] = EYE
  return labels


def _loop(triangles):
  """The one closed outline of triangles that lie together."""
  edges = {(int(t[i - 1]), int(t[i])) for t in triangles for i in range(3)}
  following = {a: b for a, b in edges if (b, a) not in edges}
  loop = [min(following)]
  while following[loop[-1]] != loop[0]:
    loop.append(following[loop[-1]])
  return tuple(loop)


@functools.cache
def topology() -> Topology:
  """The mesh that all heads share."""
  triangles = _triangulate(_canonical_places())
  labels = _label(triangles)
  inside = labels != BACKGROUND
  outlines = [_loop(triangles[inside]), _loop(triangles[labels == MOUTH])]
  for eye in (layout.LEFT_EYE, layout.RIGHT_EYE):
    outlines.append(_loop(triangles[np.isin(triangles, eye).all(1)]))
  return Topology(
    triangles.astype(np.int32), labels.astype(np.int32), tuple(outlines)
  )
