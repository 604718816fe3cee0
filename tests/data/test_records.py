"""Records: what is kept, and that images and points stay together."""

import cv2
import numpy as np
import pytest

from flaxheads.data import records
from flaxheads.errors import UserError


def _quadrants(size):
  """Red, green / blue, white: survives no flip, turn or swap of channels."""
  frame = np.zeros((size, size, 3), np.uint8)
  half = size // 2
  frame[:half, :half, 0] = 255
  frame[:half, half:, 1] = 255
  frame[half:, :half, 2] = 255
  frame[half:, half:] = 255
  return frame


def _record(num_frames=5, size=64, **kwargs):
  rng = np.random.default_rng(0)
  named = {'video_id': 'v', 'identity_id': 'p', **kwargs}
  frames = np.stack([_quadrants(size)] * num_frames)
  points = rng.uniform(0, size, (num_frames, 68, 2))
  return records.make_record(frames, points, np.arange(num_frames), **named)


@pytest.mark.parametrize('have, want', [(1, 64), (5, 64), (64, 64), (300, 64)])
def test_spread_keeps_both_ends_and_even_gaps(have, want):
  kept = records.spread(have, want)
  assert len(kept) == min(have, want)
  assert kept[0] == 0
  assert len(kept) == 1 or kept[-1] == have - 1
  gaps = np.diff(kept)
  assert (gaps >= 1).all()
  assert np.ptp(gaps) <= 1 if len(gaps) else True


@pytest.mark.parametrize('image_size', [16, 32, 48, 64, 96])
def test_decoding_keeps_orientation_and_channels(image_size):
  data = records.encode_jpeg(_quadrants(64))
  frame = records.decode_jpeg(data, 64, image_size)
  assert frame.shape == (image_size, image_size, 3)
  low, high = image_size // 4, 3 * image_size // 4
  corners = [frame[low, low], frame[low, high], frame[high, low]]
  corners = np.array([*corners, frame[high, high]], np.int32)
  wanted = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]
  assert np.abs(corners - wanted).max() < 12


@pytest.mark.parametrize('factor', [1, 2, 4, 8])
def test_reduced_decoding_is_the_mean_of_blocks(factor):
  # A ramp: the mean over a block is known in closed form, and a shift by one
  # pixel would show as a constant difference.
  size = 64
  column = np.arange(size, dtype=np.float64) * 3
  frame = np.repeat(np.tile(column, (size, 1))[..., None], 3, -1)
  data = records.encode_jpeg(frame.astype(np.uint8), quality=100)
  small = records.decode_jpeg(data, size, size // factor)
  wanted = column.reshape(-1, factor).mean(-1)
  assert np.abs(small[..., 1] - wanted).max() < 2.5
  assert np.abs((small[..., 1] - wanted).mean()) < 0.6


def test_points_are_scaled_with_the_image():
  record = _record()
  frames, points = records.decode_frames(record, [4, 1], 32)
  assert frames.shape == (2, 32, 32, 3) and frames.dtype == np.uint8
  np.testing.assert_allclose(points, record['points'][[4, 1]] / 2, rtol=1e-6)
  assert points.dtype == np.float32


def test_only_drawn_frames_are_decoded():
  record = _record()
  record['frames'] = [b'broken', *record['frames'][1:]]
  records.decode_frames(record, [1, 2], 32)
  with pytest.raises(UserError, match='v: .*not a JPEG'):
    records.decode_frames(record, [0], 32)


@pytest.mark.parametrize('data', [b'', b'\xff\xd8\xff', b'GIF89a'])
def test_bytes_that_are_no_jpeg_are_one_line(data):
  record = _record()
  record['frames'] = [data] * 5
  with pytest.raises(UserError, match='v: a frame of the record is not a JPEG'):
    records.decode_frames(record, [0], 32)


@pytest.mark.parametrize('size', [(64, 64), (30, 200), (513, 7)])
@pytest.mark.parametrize('way', [[], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]])
def test_the_size_of_a_jpeg_is_read_before_it_is_decoded(size, way):
  data = cv2.imencode('.jpg', np.zeros((*size, 3), np.uint8), way)[1].tobytes()
  assert records.jpeg_size(data) == size
  filled = data[:2] + b'\xff' * 5 + data[2:]
  assert records.jpeg_size(filled) == size
  assert cv2.imdecode(np.frombuffer(filled, np.uint8), 1).shape[:2] == size


def test_a_larger_image_than_promised_is_not_decoded(monkeypatch):
  record = _record(size=64)
  small = record['frames'][0]
  at = small.index(b'\xff\xc0') + 5
  huge = small[:at] + b'\xea\x60' * 2 + small[at + 4 :]  # 60,000 pixels
  # No JPEG, but with bytes at the places of a JPEG's size.
  bitmap = b'BM\xff\xc0\0\0\0\0\x40\0\x40' + bytes(60)

  def refuse(*arguments):
    raise AssertionError('decoded')

  monkeypatch.setattr(cv2, 'imdecode', refuse)
  for data, said in ((huge, '60000 x 60000 pixels, not 64'), (bitmap, 'JPEG')):
    record['frames'] = [data] * 5
    with pytest.raises(UserError, match=f'v: .*{said}'):
      records.decode_frames(record, [0], 32)


@pytest.mark.parametrize(
  'change, said',
  [
    ({'num_frames': 4}, '5 frames instead of 4'),
    ({'points': np.zeros((5, 5, 2))}, 'points of shape'),
    ({'times': np.zeros(4, np.float32)}, r'times of shape \(4,\)'),
    ({'image_size': 5000}, 'frames of 5000 pixels'),
    ({'video_id': b'v\xff\xfe', 'image_size': 0}, 'v..: has frames of 0'),
  ],
)
def test_a_record_that_cannot_be_is_refused(change, said):
  with pytest.raises(UserError, match=said):
    records.check_record({**_record(), **change})


def test_frames_points_and_times_are_chosen_together():
  num_frames = 10
  frames = np.stack(
    [np.full((16, 16, 3), 20 * i, np.uint8) for i in range(num_frames)]
  )
  points = np.arange(num_frames, dtype=np.float32)[:, None, None]
  points = points * np.ones((1, 68, 2), np.float32)
  record = records.make_record(
    frames,
    points,
    np.arange(num_frames) / 25,
    video_id='v',
    identity_id='p',
    max_frames=4,
  )
  decoded, chosen = records.decode_frames(record, range(4), 16)
  indices = chosen[:, 0, 0]
  np.testing.assert_array_equal(indices, [0, 3, 6, 9])
  np.testing.assert_allclose(record['times'], indices / 25, rtol=1e-6)
  assert np.abs(decoded.mean((1, 2, 3)) - 20 * indices).max() < 2
  assert record['num_frames'] == 4 and record['image_size'] == 16


@pytest.mark.parametrize(
  'change, message',
  [
    ({'frames': np.zeros((3, 16, 16, 3), np.float32)}, 'not uint8'),
    ({'frames': np.zeros((3, 16, 8, 3), np.uint8)}, 'S, S, 3'),
    ({'frames': np.zeros((0, 16, 16, 3), np.uint8)}, 'no frames'),
    ({'points': np.full((3, 68, 2), np.nan)}, 'points'),
    ({'points': np.zeros((2, 68, 2))}, 'points'),
    ({'times': np.zeros(2)}, 'times'),
  ],
)
def test_what_is_no_record_is_refused(change, message):
  parts = {
    'frames': np.zeros((3, 16, 16, 3), np.uint8),
    'points': np.zeros((3, 68, 2)),
    'times': np.zeros(3),
  }
  with pytest.raises(ValueError, match=message):
    records.make_record(**{**parts, **change}, video_id='v', identity_id='p')


def test_gaze_is_kept_and_old_records_lack_it():
  gaze = np.arange(20, dtype=np.float32).reshape(5, 2, 2)
  gaze[2] = np.nan  # shut eyes
  record = _record(gaze=gaze, max_frames=3)
  np.testing.assert_array_equal(record['gaze'], gaze[[0, 2, 4]])
  features = records.features()
  read = features.deserialize_example_np(features.serialize_example(record))
  np.testing.assert_array_equal(read['gaze'], record['gaze'])
  records.check_record(read)
  assert np.isnan(_record()['gaze']).all()
  with pytest.raises(UserError, match='gaze of shape'):
    records.check_record({**read, 'gaze': gaze[:2]})
  del read['gaze']
  records.check_record(read)
