"""HDR video looks like the SDR that it was made from."""

import av
import numpy as np
import pytest

from flaxheads.data import hdr
from flaxheads.data.video import read_video

PQ, HLG, SDR = 16, 18, 14
TO_BT2020 = np.linalg.inv(hdr._TO_BT709.astype(np.float64))
COLOURS = np.array(
  [
    [200, 150, 120],
    [40, 60, 160],
    [30, 30, 30],
    [128, 128, 128],
    [90, 160, 60],
  ],
  np.uint8,
)


def _encode(sdr, transfer):
  """Float [..., 3], HDR signals of SDR colours; formulas of BT.2100."""
  light = np.maximum((sdr / 255) ** 2.4 @ TO_BT2020.T, 0)
  if transfer == HLG:
    scene = (light * 203 / 1000) ** (1 / 1.2)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    with np.errstate(invalid='ignore'):
      high = a * np.log(np.maximum(12 * scene - b, 1e-9)) + c
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), high)
  if transfer == PQ:
    power = (light * 203 / 10_000) ** 0.1593017578125
    return (
      (0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)
    ) ** 78.84375
  return light ** (1 / 2.4)


@pytest.mark.parametrize('transfer', [PQ, HLG, SDR])
def test_colours_come_back(transfer):
  signal = np.rint(65535 * _encode(COLOURS, transfer)).astype(np.uint16)
  got = hdr.to_sdr(signal[None], transfer)[0]
  assert np.abs(got.astype(int) - COLOURS).max() <= 1


@pytest.mark.parametrize('transfer', [PQ, HLG])
def test_highlights_are_compressed_not_clipped(transfer):
  ramp = np.repeat(np.linspace(0, 65535, 200)[:, None], 3, 1).astype(np.uint16)
  got = hdr.to_sdr(ramp[None], transfer)[0].astype(int)
  assert (np.diff(got, axis=0) >= 0).all() and np.ptp(got, axis=1).max() <= 1
  white = np.full((1, 1, 3), 255.0)
  signal = np.rint(65535 * _encode(white, transfer)).astype(np.uint16)
  assert 240 <= hdr.to_sdr(signal, transfer).min() < 255


@pytest.mark.parametrize('transfer', [HLG, PQ, SDR])
def test_a_file_of_ten_bits(tmp_path, transfer):
  path = tmp_path / 'hdr.mkv'
  blocks = _encode(COLOURS, transfer).repeat(32, 0)[None].repeat(64, 0)
  rgb = np.rint(65535 * blocks).astype(np.uint16)
  with av.open(str(path), 'w') as output:
    stream = output.add_stream('ffv1', rate=25)
    stream.height, stream.width = rgb.shape[:2]
    stream.pix_fmt = 'yuv420p10le'
    context = stream.codec_context
    context.color_primaries = context.colorspace = 9
    context.color_trc, context.color_range = transfer, 1
    frame = av.VideoFrame.from_ndarray(rgb, 'rgb48le')
    frame = frame.reformat(format='yuv420p10le', dst_colorspace='BT2020')
    output.mux(stream.encode(frame))
    output.mux(stream.encode())
  (got,) = read_video(path).frames
  middles = got[32, 16::32].astype(int)
  assert np.abs(middles - COLOURS).max() <= 6


def test_colours_that_cannot_be_converted():
  frame = av.VideoFrame(16, 16, 'yuv420p10le')
  assert not hdr.is_unknown(frame, 'hvc1') and hdr.is_unknown(frame, 'dvh1')
  frame.colorspace = 14
  assert hdr.is_unknown(frame, 'hvc1') and not hdr.needs_mapping(frame)
