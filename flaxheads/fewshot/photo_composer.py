"""Frames of a person from their photographs: each part from the best of them.

Mouth and eyes are blended in from the photographs that show them most as
requested, with feathered edges and matched colours. The rest of a frame comes
from one photograph.
"""

import concurrent.futures
import functools
import os
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from flaxheads.fewshot.composition import compose
from flaxheads.fewshot.mesh_target import Target
from flaxheads.fewshot.mouth_interior import Mouth, MouthInterior
from flaxheads.fewshot.photo_parts import PARTS, PartChooser, part_costs
from flaxheads.fewshot.still_layer import StillLayer
from flaxheads.landmarks import head_mesh, layout
from flaxheads.landmarks.gaze import show as show_gaze

if TYPE_CHECKING:  # a person without a network loads none
  from flaxheads.fewshot.photo_network import NativeCorrection, PhotoNetwork

# Regions that are blended in, and how far about their points, in distances of
# the outer eye corners.
_REGIONS = {
  'mouth': (((*layout.OUTER_LIPS, *layout.INNER_LIPS), 0.16),),
  'eyes': ((layout.LEFT_EYE, 0.14), (layout.RIGHT_EYE, 0.14)),
}
_SCENE_SIDE = 64  # pixels
_SCENE_MARGIN = 4  # about heads, in those pixels
_SAME_SCENE = 16.0  # levels of 255 that backgrounds of one scene differ by
_MAX_SHIFT = 24.0  # levels, of the colours of a part


class _Shown(NamedTuple):
  """What one frame is composed of.

  Attributes:
    photographs: by number, uint8 [S, S, 3], those that have a weight.
    corrections: of the network, for each of them; none without one.
    mouth: the inside of a mouth that a photograph shows shut.
  """

  photographs: dict[int, np.ndarray]
  corrections: 'dict[int, NativeCorrection]'
  mouth: Mouth


class PhotoComposer:
  """Composes frames of one person."""

  def __init__(
    self,
    photographs: np.ndarray,
    support_points: np.ndarray,
    network: 'PhotoNetwork | None' = None,
    gaze: np.ndarray | None = None,
  ):
    """Fits the head in all photographs.

    Args:
      photographs: uint8 [T, S, S, 3].
      support_points: float [T, 68, 2], pixels.
      network: corrects the mesh's warp; None: the mesh alone.
      gaze: float32 [T, 2, 2], of the photographs; None: it is left as it is.
    """
    self._network = network
    self._photographs = photographs
    self._gaze = gaze
    self._points = np.asarray(support_points, np.float64)
    track = head_mesh.fit_head(self._points)
    self._rest = track.rest
    self._source = head_mesh.mesh_vertices(track)
    self._mouth = MouthInterior(photographs[0], track)
    self._stills = {}
    self._other_scene = ~_same_scenes(photographs, self._source)

  def start(self) -> dict[str, PartChooser]:
    """The choices at the start of a clip, to hand on from call to call."""
    return {part: PartChooser() for part in PARTS}

  def __call__(
    self,
    points,
    choosers: dict[str, PartChooser] | None = None,
    gaze: np.ndarray | None = None,
    many: bool = False,
  ) -> np.ndarray:
    """Composes the next frames of a clip.

    Args:
      points: float [F, 68, 2], pixels.
      choosers: of `start`; advanced by F frames. None: every frame by itself,
        as if a clip began there.
      gaze: float32 [F, 2, 2], the person's; None: as the photographs show it.
      many: whether the clip has a hundred frames or more.

    Returns:
      uint8 [F, S, S, 3].
    """
    points = np.asarray(points, np.float64)
    target = head_mesh.fit_head(points, self._rest)
    costs = part_costs(self._points, points)
    # Another background in the middle of a clip would be a cut.
    costs['rest'][:, self._other_scene] = np.inf
    weights = []
    for f in range(len(points)):
      chosen = choosers or self.start()
      weights.append({part: chosen[part](costs[part][f]) for part in PARTS})
    vertices = head_mesh.mesh_vertices(target)
    for t in np.flatnonzero(sum(parts['rest'] for parts in weights)):
      if t not in self._stills:  # most photographs are never the background
        still = StillLayer(self._photographs[t], self._source[t])
        self._stills[t] = still
    photographs = self._look(weights, gaze)
    corrections = self._correct(vertices, photographs, many)
    mouths = self._mouth.place(points, target.motion)
    shown = map(_Shown, photographs, corrections, mouths)
    return np.stack(list(_pool().map(self._compose, vertices, weights, shown)))

  def _look(self, weights, gaze) -> list[dict[int, np.ndarray]]:
    """For each frame the photographs that it is made of, looking that way."""
    used = [np.flatnonzero(sum(parts.values())) for parts in weights]
    if gaze is None or self._gaze is None:
      return [{t: self._photographs[t] for t in shots} for shots in used]
    return [
      {
        t: show_gaze(
          self._photographs[t], self._points[t], self._gaze[t], wanted
        )
        for t in shots
      }
      for shots, wanted in zip(used, gaze, strict=True)
    ]

  def _correct(self, vertices, photographs, many):
    """For each frame the NativeCorrection of each of its photographs."""
    found = [{} for _ in photographs]
    if self._network is None:
      return found
    used = [(f, t) for f, shown in enumerate(photographs) for t in shown]
    frames, shots = np.array(used).T
    corrections = self._network.correct(
      np.stack([photographs[f][t] for f, t in used]),
      self._source[shots],
      vertices[frames],
      many,
    )
    for (f, t), correction in zip(used, corrections, strict=True):
      found[f][t] = correction
    return found

  def _compose(self, vertices, weights, shown):
    """One frame: float32 [V, 3], weights for each part, and _Shown."""
    size, rest = self._photographs.shape[1], weights['rest']
    box, layers = (0, 0, size, size), []
    for t in np.flatnonzero(rest):
      source, placed = head_mesh.place_vertices(self._source[t], vertices, size)
      target = Target(placed, box)
      whole = _compose_from(shown, t, source, target, box, self._stills[t])
      layers.append((rest[t], whole, target))
    frame = _mix([layer[:2] for layer in layers])
    target = max(layers, key=lambda layer: layer[0])[2]
    for part, regions in _REGIONS.items():
      if not np.array_equal(weights[part], rest):
        for members, reach in regions:
          region = _feathered(vertices[:68, :2], members, reach, size)
          self._blend_in(frame, target, weights[part], vertices, shown, region)
    return frame

  def _blend_in(self, frame, target, weights, vertices, shown, region):
    """Replaces a region, mask and box, of the frame."""
    size, (mask, box) = len(frame), region
    if mask is None:
      return
    left, top, right, bottom = box
    sources = {
      t: head_mesh.place_vertices(self._source[t], vertices, size)[0]
      for t in np.flatnonzero(weights)
    }
    patch = _mix(
      [
        (weights[t], _compose_from(shown, t, source, target, box))
        for t, source in sources.items()
      ]
    ).astype(np.float32)
    place = frame[top:bottom, left:right]
    apart = place - patch
    ring = mask * (1 - mask)
    shift = (ring * apart).sum((0, 1)) / max(float(ring.sum()), 1e-6)
    apart = apart - np.clip(shift, -_MAX_SHIFT, _MAX_SHIFT)
    mixed = np.round(place - mask * apart)
    place[:] = np.clip(mixed, 0, 255).astype(np.uint8)


def _compose_from(shown, t, source, target, box, still=None):
  """`compose` with photograph t."""
  photograph, correction = shown.photographs[t], shown.corrections.get(t)
  return compose(
    photograph, source, target, box, correction, shown.mouth, still
  )


@functools.cache
def _pool():
  """Frames are composed side by side: OpenCV and numpy leave the GIL."""
  return concurrent.futures.ThreadPoolExecutor(os.cpu_count())


def _mix(layers):
  """The weighted mean of uint8 images."""
  if len(layers) == 1:
    return layers[0][1]
  mean = sum(np.float32(weight) * image for weight, image in layers)
  return np.round(mean).astype(np.uint8)


def _feathered(points, members, reach, size):
  """A soft mask about points, float32 [h, w, 1], and its box in the frame."""
  radius = max(1, round(reach * np.linalg.norm(points[36] - points[45])))
  places = points[list(members)]
  low = np.floor(places.min(0)).astype(int) - 3 * radius
  high = np.ceil(places.max(0)).astype(int) + 3 * radius
  left, top = np.maximum(low, 0)
  right, bottom = np.minimum(high, size)
  if left >= right or top >= bottom:
    return None, None
  mask = np.zeros((bottom - top, right - left), np.uint8)
  hull = cv2.convexHull(np.round(places - (left, top)).astype(np.int32))
  cv2.fillConvexPoly(mask, hull, 1)
  disc = cv2.getStructuringElement(
    cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)
  )
  mask = cv2.dilate(mask, disc).astype(np.float32)
  mask = cv2.GaussianBlur(mask, (0, 0), max(1.0, radius / 2))
  return mask[..., None], (left, top, right, bottom)


def _same_scenes(photographs, vertices):
  """Whether a background is that of the first photograph, bool [T]."""
  scale = _SCENE_SIDE / photographs.shape[1]
  outline = list(head_mesh.topology().outlines[0])
  kernel = np.ones((2 * _SCENE_MARGIN + 1,) * 2, np.uint8)
  images, heads = [], []
  for photograph, places in zip(photographs, vertices, strict=True):
    image = cv2.resize(
      photograph, (_SCENE_SIDE, _SCENE_SIDE), interpolation=cv2.INTER_AREA
    )
    head = np.zeros((_SCENE_SIDE, _SCENE_SIDE), np.uint8)
    loop = np.round(places[outline, :2] * scale).astype(np.int32)
    cv2.fillPoly(head, [loop], 1)
    head[loop[:, 1].max() - _SCENE_MARGIN :] = 1  # neck and clothes
    images.append(image.astype(np.float32))
    heads.append(cv2.dilate(head, kernel))
  same = []
  for image, head in zip(images, heads, strict=True):
    background = (head == 0) & (heads[0] == 0)
    apart = np.abs(image - images[0]).mean(-1)
    same.append(not background.any() or apart[background].mean() < _SAME_SCENE)
  return np.array(same)
