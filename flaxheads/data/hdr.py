"""Converts HDR and wide-gamut video to SDR: HLG and PQ, BT.2020 to BT.709.

Transfer functions are those of ITU-R BT.2100; reference white is 203 cd/m²
(ITU-R BT.2408). Brighter parts are compressed into what is left above 80 % of
SDR white, by the largest channel, so that hue stays.
"""

import functools

import cv2
import numpy as np

# Code points of ITU-T H.273.
_PQ, _HLG = 16, 18  # transfer characteristics
_BT2020 = 9  # primaries
_ICTCP, _IPT = 14, 15  # matrices that swscale does not know
_UNSPECIFIED = 2

_WHITE = 203.0  # cd/m²
_HLG_PEAK, _HLG_GAMMA = 1000.0, 1.2  # of the display that BT.2100 assumes
_KNEE = 0.8  # of SDR white, in linear light
_SDR_GAMMA = 2.4  # ITU-R BT.1886
# ITU-R BT.2087, linear light.
_TO_BT709 = np.array(
  [
    [1.6605, -0.5876, -0.0728],
    [-0.1246, 1.1329, -0.0083],
    [-0.0182, -0.1006, 1.1187],
  ],
  np.float32,
)
_STEPS = 4096  # of the table that encodes the square root of linear light


def needs_mapping(frame) -> bool:
  """Whether an av.VideoFrame is HDR, or has the colours of BT.2020."""
  return frame.color_trc in (_PQ, _HLG) or frame.color_primaries == _BT2020


def is_unknown(frame, codec_tag: str) -> bool:
  """Whether the colours of an av.VideoFrame cannot be converted.

  Args:
    frame: the frame.
    codec_tag: of its stream. Dolby Vision's profile 5 has a tag of its own, and
      names no transfer.
  """
  dolby = codec_tag in ('dvh1', 'dvhe', 'dav1')
  untold = frame.color_trc in (0, _UNSPECIFIED)
  return frame.colorspace in (_ICTCP, _IPT) or (dolby and untold)


def to_sdr(rgb: np.ndarray, transfer: int) -> np.ndarray:
  """Maps a frame of BT.2020 to SDR of BT.709.

  Args:
    rgb: uint16 [H, W, 3], the full range.
    transfer: of ITU-T H.273; all but PQ and HLG are taken for SDR.

  Returns:
    uint8 [H, W, 3].
  """
  light = cv2.transform(_linear_table(transfer)[rgb], _TO_BT709)
  light = np.maximum(np.asarray(light), 0)
  if transfer in (_PQ, _HLG):
    peak = light.max(-1)
    above = np.maximum(peak - _KNEE, 0) / (1 - _KNEE)
    mapped = np.minimum(peak, _KNEE) + (1 - _KNEE) * (1 - np.exp(-above))
    light *= (mapped / np.maximum(peak, 1e-6))[..., None]
  index = np.sqrt(np.minimum(light, 1)) * (_STEPS - 1) + 0.5
  return _encoding_table()[index.astype(np.uint16)]


@functools.cache
def _linear_table(transfer: int) -> np.ndarray:
  """float32 [65536]: a signal's light; 1 is reference white."""
  signal = np.linspace(0, 1, 1 << 16)
  if transfer == _PQ:
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    root = signal ** (1 / m2)
    light = (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    light *= 10_000 / _WHITE
  elif transfer == _HLG:
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    light = np.where(
      signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12
    )
    # Per channel, as SDR cameras and displays do it together. BT.2100 takes the
    # gamma of luminance, which would leave SDR pale.
    light = light**_HLG_GAMMA * _HLG_PEAK / _WHITE
  else:
    light = signal**_SDR_GAMMA
  return light.astype(np.float32)


@functools.cache
def _encoding_table() -> np.ndarray:
  """uint8 [_STEPS]: SDR code values of the square root of linear light."""
  root = np.linspace(0, 1, _STEPS)
  return np.rint(255 * root ** (2 / _SDR_GAMMA)).astype(np.uint8)
