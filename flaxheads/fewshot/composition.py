"""Composes frames from a photograph and the head mesh, at native resolution.

The mesh says where every pixel comes from, and OpenCV reads it from the
photograph itself, which keeps its own sharpness. A frame has three layers, so
that lids and lips have antialiased edges: the head without its holes, the
inside of the mouth, and the eyes. All of it runs on the host: nothing is
compiled, and a frame of 512x512 takes one CPU core 13 ms. A mouth that the
photograph shows shut gets an inside of its own, see mouth_interior.py.
"""

from typing import TYPE_CHECKING

import cv2
import numpy as np

from flaxheads.fewshot.mesh_target import SUBPIXEL_BITS, Map, Target, blend

if TYPE_CHECKING:  # a person without a network loads none
  from flaxheads.fewshot.mouth_interior import Mouth
  from flaxheads.fewshot.photo_network import NativeCorrection
  from flaxheads.fewshot.still_layer import StillLayer

_SEAM_BLUR = 1.0  # pixels
_EYE_REACH = 0.9  # of an eye's width


def sample(photograph: np.ndarray, chart: Map) -> np.ndarray:
  """Reads uint8 [H, W, 3] where a map says; uint8 [h, w, 3]."""
  return cv2.remap(
    photograph,
    chart.x,
    chart.y,
    cv2.INTER_LINEAR,
    borderMode=cv2.BORDER_REPLICATE,
  )


def compose(
  photograph: np.ndarray,
  source: np.ndarray,
  target: Target,
  box=None,
  correction: 'NativeCorrection | None' = None,
  mouth: 'Mouth | None' = None,
  still: 'StillLayer | None' = None,
) -> np.ndarray:
  """A frame, or a part of it, from one photograph.

  Args:
    photograph: uint8 [H, W, 3].
    source: float [V + NUM_BORDER, 2], the vertices in it, pixels.
    target: Target.
    box: the part that is composed: left, top, right, bottom; None for all of
      the target's box.
    correction: of a network, for the same photograph and target.
    mouth: renders the inside of a mouth that the photograph shows shut; None:
      its few pixels are stretched.
    still: of the photograph; None: its background moves with the head.

  Returns:
    uint8 [h, w, 3].
  """
  skin = target.skin(source, box)
  _move(skin, correction)
  frame = sample(photograph, skin)
  inside = None
  for hole in target.holes(source, box):
    chart, share = hole.map, hole.share
    place = _within(frame, skin, chart)
    _move(chart, correction)
    pixels = sample(photograph, chart).astype(np.float32)
    if mouth is not None and hole.is_mouth and hole.shown < 1:
      rendered = mouth(share, chart.left, chart.top)
      share = cv2.GaussianBlur(share, (0, 0), mouth.softness)[..., None]
      pixels = rendered + hole.shown * (pixels - rendered)
      inside = chart, rendered, (1 - hole.shown) * share
    place[:] = np.round(place + share * (pixels - place))
  for outline, closed in target.seams(source):
    _soften(frame, outline - (skin.left, skin.top), closed)
  part = correction and correction.within(skin.left, skin.top, *skin.x.shape)
  if part:
    place, moved = frame[part[0]], part[1]
    mask = _with_eyes(moved, target.eyes(source))
    place[:] = blend(place, cv2.convertScaleAbs(moved.rgb), mask)
  if part and inside:  # the network has few pixels for teeth
    chart, rendered, share = inside
    place = _within(frame, skin, chart)
    place[:] = np.round(place + share * (rendered - place))
  if still is not None:
    still.behind(frame, skin)
  return frame


def _with_eyes(correction, eyes):
  """The photograph's share, raised about eyes that it shows.

  Lashes, lids and irises of the warped photograph are sharper than the few
  pixels of the network.

  Args:
    correction: NativeCorrection.
    eyes: of Target.eyes.

  Returns:
    float32 [h, w].
  """
  mask = correction.mask[..., 0].copy()
  for outline, shown in eyes:
    centre = outline.mean(0) - (correction.left, correction.top)
    radius = _EYE_REACH * np.linalg.norm(outline[0] - outline[3])
    low, high = np.floor(centre - radius), np.ceil(centre + radius) + 1
    (left, top), (right, bottom) = (
      np.clip(edge, 0, mask.shape[::-1]).astype(int) for edge in (low, high)
    )
    if left < right and top < bottom:
      place = mask[top:bottom, left:right]
      rows, columns = np.mgrid[top:bottom, left:right] + 0.5
      away = np.hypot(columns - centre[0], rows - centre[1]) / radius
      place += (1 - place) * np.clip(2 - 2 * away, 0, 1) * shown
  return mask


def _within(frame, skin, chart):
  """The rectangle of another map in a frame."""
  top, left = chart.top - skin.top, chart.left - skin.left
  height, width = chart.x.shape
  return frame[top : top + height, left : left + width]


def _move(chart: Map, correction: 'NativeCorrection | None') -> None:
  """Adds a correction's flow to a map."""
  part = correction and correction.within(chart.left, chart.top, *chart.x.shape)
  if part:
    place, moved = part
    chart.x[place] += moved.flow[..., 0]
    chart.y[place] += moved.flow[..., 1]


def _soften(frame, outline, weight):
  """Antialiases the line along which lids or lips meet, in place."""
  low = np.floor(outline.min(0)).astype(int) - 3
  high = np.ceil(outline.max(0)).astype(int) + 4
  (left, top), (right, bottom) = np.maximum(low, 0), np.maximum(high, 0)
  place = frame[top:bottom, left:right]
  if not place.size:
    return
  line = np.zeros(place.shape[:2], np.uint8)
  fixed = np.round((outline - (left + 0.5, top + 0.5)) * 2**SUBPIXEL_BITS)
  cv2.polylines(
    line, [fixed.astype(np.int32)], True, 255, 2, cv2.LINE_AA, SUBPIXEL_BITS
  )
  share = line[..., None] * np.float32(weight / 255)
  soft = cv2.GaussianBlur(place, (0, 0), _SEAM_BLUR).astype(np.float32)
  place[:] = np.round(place + share * (soft - place))
