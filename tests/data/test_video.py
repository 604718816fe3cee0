"""Video: what is written comes back; damage and excess end in one line."""

import fractions
import gc
import pathlib
import struct

import numpy as np
import pytest

from flaxheads.data import video as videos
from flaxheads.data.video import VideoReader, read_video
from flaxheads.data.video_writer import VideoWriter
from flaxheads.errors import UserError


def _shades(count, height=48, width=64):
  """Frames of rising grey: uint8 [F, H, W, 3]."""
  values = np.linspace(20, 230, count).astype(np.uint8)
  return np.broadcast_to(
    values[:, None, None, None], (count, height, width, 3)
  ).copy()


def _write(path, frames, fps=25.0, **options):
  with VideoWriter(path, fps, **options) as writer:
    for frame in frames:
      writer.write(frame)
  return path


def _write_raw(path, frames, times=None, streams=1, format=None):
  """Writes with free times, as cameras do; `streams` videos of each frame."""
  container = videos.av.open(str(path), 'w', format=format)
  outs = [container.add_stream('libx264', rate=25) for _ in range(streams)]
  for stream in outs:
    stream.height, stream.width = frames[0].shape[:2]
    stream.time_base = fractions.Fraction(1, 1000)
    stream.codec_context.time_base = fractions.Fraction(1, 1000)
  for number, stream in enumerate(outs):
    for index, image in enumerate(frames):
      image = 255 - image if number else image
      frame = videos.av.VideoFrame.from_ndarray(image, format='rgb24')
      time = index / 25 if times is None else times[index]
      frame.pts = round(time * 1000)
      frame.time_base = fractions.Fraction(1, 1000)
      container.mux(stream.encode(frame))
    container.mux(stream.encode())
  container.close()
  return path


def test_what_is_written_comes_back(tmp_path):
  rng = np.random.default_rng(0)
  colours = rng.integers(30, 226, (6, 3, 4, 3))
  frames = colours.repeat(16, 1).repeat(16, 2).astype(np.uint8)
  read = read_video(_write(tmp_path / 'a.mp4', frames, crf=4))
  assert len(read.frames) == 6 and not read.truncated
  assert read.fps == pytest.approx(25)
  np.testing.assert_allclose(read.times, np.arange(6) / 25, atol=1e-4)
  # Away from the borders of blocks, where 4:2:0 blurs the colour.
  inner = np.add.outer(16 * np.arange(4), [6, 7, 8, 9]).ravel()
  got = np.stack(read.frames)[:, inner[:12]][:, :, inner].astype(int)
  want = frames[:, inner[:12]][:, :, inner].astype(int)
  assert np.abs(got - want).max() <= 6
  assert [p.name for p in tmp_path.iterdir()] == ['a.mp4']


def test_stream_is_what_browsers_play(tmp_path):
  path = _write(tmp_path / 'a.mp4', _shades(3))
  with videos.av.open(str(path)) as container:
    stream = container.streams.video[0]
    context = stream.codec_context
    assert (context.name, context.pix_fmt) == ('h264', 'yuv420p')
    assert context.colorspace == 1 and context.color_range == 1
  data = path.read_bytes()
  assert data.index(b'moov') < data.index(b'mdat')  # plays while loading


def test_fractional_rate(tmp_path):
  rate = 30000 / 1001
  read = read_video(_write(tmp_path / 'a.mp4', _shades(31), rate))
  assert read.fps == pytest.approx(rate, rel=1e-4)
  assert read.times[30] == pytest.approx(30 / rate, abs=1e-4)


def test_odd_sizes_grow_by_repeating_the_edge(tmp_path):
  frames = np.zeros((2, 33, 47, 3), np.uint8)
  frames[:, :, -8:] = 200
  read = read_video(_write(tmp_path / 'a.mp4', frames, crf=4)).frames[0]
  assert read.shape == (34, 48, 3)
  assert np.abs(read[:, -1].astype(int) - 200).max() <= 6


def test_writer_leaves_nothing_behind_on_failure(tmp_path):
  (tmp_path / 'a.mp4').write_text('earlier')
  with pytest.raises(RuntimeError, match='stop'):
    with VideoWriter(tmp_path / 'a.mp4', 25) as writer:
      writer.write(_shades(1)[0])
      raise RuntimeError('stop')
  with pytest.raises(ValueError, match='no frame'):
    with VideoWriter(tmp_path / 'b.mp4', 25):
      pass
  with pytest.raises(ValueError, match='the first was'):
    _write(tmp_path / 'c.mp4', [_shades(1)[0], _shades(1, 50)[0]])
  assert [p.name for p in tmp_path.iterdir()] == ['a.mp4']
  assert (tmp_path / 'a.mp4').read_text() == 'earlier'


def test_writer_refuses(tmp_path):
  with pytest.raises(UserError, match='fps'):
    VideoWriter(tmp_path / 'a.mp4', 0)
  with pytest.raises(UserError, match='crf'):
    VideoWriter(tmp_path / 'a.mp4', 25, crf=52)
  with pytest.raises(UserError, match='MP4'):
    VideoWriter(tmp_path / 'a.gif', 25)
  with pytest.raises(UserError, match='existing, writable'):
    _write(tmp_path / 'none' / 'a.mp4', _shades(1))
  with pytest.raises(ValueError, match='uint8'):
    _write(tmp_path / 'a.mp4', [np.zeros((8, 8, 3))])


def _quarters():
  """Four colours, to tell all eight turns and flips apart."""
  image = np.zeros((32, 64, 3), np.uint8)
  image[:16, :32], image[:16, 32:] = (200, 40, 40), (40, 200, 40)
  image[16:, :32], image[16:, 32:] = (40, 40, 200), (200, 200, 40)
  return image


@pytest.mark.parametrize(
  'matrix', [(0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0), (-1, 0, 0, 1)]
)
def test_display_matrix(tmp_path, matrix):
  image = _quarters()
  path = _write(tmp_path / 'a.mp4', [image] * 3, crf=4)
  data = bytearray(path.read_bytes())
  # The track header ends with the matrix, then width and height.
  place = data.index(b'tkhd') + 4 + 4 + 20 + 16
  a, b, c, d = matrix
  fields = (a, b, 0, c, d, 0, 0, 0)
  data[place : place + 32] = struct.pack('>8i', *(n * 65536 for n in fields))
  path.write_bytes(data)
  read = read_video(path).frames[0]
  # Where each stored corner must show: (x, y) -> (ax + cy, bx + dy).
  for x in (-1, 1):
    for y in (-1, 1):
      shown_x, shown_y = a * x + c * y, b * x + d * y
      height, width = read.shape[:2]
      pixel = read[
        height // 4 if shown_y < 0 else -height // 4,
        width // 4 if shown_x < 0 else -width // 4,
      ]
      stored = image[8 if y < 0 else -8, 16 if x < 0 else -16]
      assert np.abs(pixel.astype(int) - stored).max() <= 8


def test_variable_frame_rate(tmp_path):
  times = np.array([0.0, 0.04, 0.1, 0.3, 0.32, 0.6])
  path = _write_raw(tmp_path / 'a.mkv', _shades(6), times + 2.0)
  read = read_video(path)
  np.testing.assert_allclose(read.times, times, atol=2e-3)
  assert read.fps == pytest.approx(5 / 0.6, rel=0.01)


def test_resampling_takes_the_nearest_frame(tmp_path):
  times = np.array([0.0, 0.04, 0.1, 0.3, 0.32, 0.6])
  frames = _shades(6)
  path = _write_raw(tmp_path / 'a.mkv', frames, times)
  read = read_video(path, fps=20.0)
  count = len(read.frames)
  np.testing.assert_allclose(read.times, np.arange(count) / 20)
  assert read.times[-1] >= 0.6
  for image, time in zip(read.frames, read.times, strict=True):
    distance = np.abs(times - time)
    # Halfway between two frames either will do.
    allowed = np.flatnonzero(distance <= distance.min() + 3e-3)
    shown = np.abs(frames[:, 0, 0, 0].astype(int) - image.mean()).argmin()
    assert shown in allowed


def test_only_the_first_video_stream(tmp_path):
  frames = _shades(4)
  read = read_video(_write_raw(tmp_path / 'a.mkv', frames, streams=2))
  assert len(read.frames) == 4
  means = [frame.mean() for frame in read.frames]
  np.testing.assert_allclose(means, frames.mean((1, 2, 3)), atol=5)


def test_max_frames_and_repeated_iteration(tmp_path):
  path = _write(tmp_path / 'a.mp4', _shades(10))
  reader = VideoReader(path, max_frames=4)
  first = [frame.image for frame in reader]
  second = [frame.image for frame in reader]
  assert len(first) == 4
  np.testing.assert_array_equal(first, second)


def test_a_frame_starts_no_threads(tmp_path):
  tasks = pathlib.Path('/proc/self/task')
  if not tasks.is_dir():
    pytest.skip('needs /proc')
  counts = []
  with VideoWriter(tmp_path / 'a.mp4', 25) as writer:
    for frame in _shades(40):
      writer.write(frame)
      counts.append(len(list(tasks.iterdir())))
  assert max(counts) - counts[0] < 20
  reader = VideoReader(tmp_path / 'a.mp4')
  counts = [len(list(tasks.iterdir())) for _ in reader]
  assert max(counts) - counts[0] < 20  # those of the decoder have started


def test_decoded_frames_are_freed(tmp_path):
  path = _write(tmp_path / 'a.mp4', _shades(150))
  gc.collect()
  frames = iter(VideoReader(path))
  for _ in range(140):
    next(frames)
  alive = [o for o in gc.get_objects() if type(o) is videos.av.VideoFrame]
  assert len(alive) <= 40  # of the decoder and of timestamps.mend


def test_cut_short(tmp_path, caplog):
  rng = np.random.default_rng(0)
  frames = rng.integers(0, 256, (30, 64, 64, 3), np.uint8)
  whole = _write(tmp_path / 'whole.mp4', frames).read_bytes()
  (tmp_path / 'cut.mp4').write_bytes(whole[: len(whole) * 6 // 10])
  read = read_video(tmp_path / 'cut.mp4')
  assert read.truncated and 8 <= len(read.frames) < 30
  complete = read_video(tmp_path / 'whole.mp4')
  assert not complete.truncated and len(complete.frames) == 30
  np.testing.assert_array_equal(read.frames[5], complete.frames[5])
  assert 'cut.mp4: damaged or truncated' in caplog.text
  # The index is there but no frame: nothing to use.
  (tmp_path / 'head.mp4').write_bytes(whole[: whole.index(b'mdat') + 8])
  with pytest.raises(UserError, match='head.mp4.*(truncated|no frame)'):
    read_video(tmp_path / 'head.mp4')


def test_not_videos(tmp_path):
  (tmp_path / 'text.mp4').write_text('this is not a video\n' * 100)
  (tmp_path / 'empty.mp4').write_bytes(b'')
  (tmp_path / 'list.mp4').write_text('#EXTM3U\n#EXTINF:1,\nhttp://x/a.ts\n')
  (tmp_path / 'concat.mp4').write_text('ffconcat version 1.0\nfile a.mp4\n')
  for name, message in [
    ('text.mp4', 'is not a video'),
    ('list.mp4', 'is not a video'),
    ('concat.mp4', 'is not a video'),
    ('empty.mp4', 'is empty'),
    ('none.mp4', 'no such file'),
    ('http://127.0.0.1:1/a.mp4', 'no such file'),
    ('.', 'is a folder'),
  ]:
    with pytest.raises(UserError, match=message) as error:
      read_video(tmp_path / name)
    assert '\n' not in str(error.value)


def test_sound_alone_is_no_video(tmp_path):
  container = videos.av.open(str(tmp_path / 'a.mp4'), 'w')
  stream = container.add_stream('aac', rate=48000, layout='mono')
  sound = videos.av.AudioFrame.from_ndarray(
    np.zeros((1, 1024), np.float32), format='fltp', layout='mono'
  )
  sound.sample_rate = 48000
  container.mux(stream.encode(sound))
  container.mux(stream.encode())
  container.close()
  with pytest.raises(UserError, match='no video stream'):
    read_video(tmp_path / 'a.mp4')


def test_limits(tmp_path, monkeypatch):
  path = _write(tmp_path / 'a.mp4', _shades(20))
  with pytest.raises(UserError, match='64x48 pixels'):
    list(VideoReader(path, max_pixels=1000))
  with pytest.raises(UserError, match='longer than 0.5 s'):
    list(VideoReader(path, max_seconds=0.5))
  with pytest.raises(UserError, match='max_frames'):
    read_video(path, max_frames=0)
  with pytest.raises(UserError, match='fps'):
    read_video(path, fps=1e6)
  monkeypatch.setattr(videos, 'MAX_FRAMES', 10)
  with pytest.raises(UserError, match='more than 10 frames'):
    read_video(path)
  monkeypatch.setattr(videos, 'MAX_BYTES', 3 * 48 * 64 * 5)
  with pytest.raises(UserError, match='GiB'):
    read_video(path, max_frames=8)


def test_real_clips_are_complete(real_clips):
  import csv

  with open(real_clips / 'MANIFEST.csv', newline='') as file:
    rows = [r for r in csv.DictReader(file) if r['file'].endswith('.mp4')]
  assert rows
  for row in rows:
    reader = VideoReader(real_clips / row['file'])
    shapes = [image.shape for image, _ in reader]
    assert set(shapes) == {(int(row['height']), int(row['width']), 3)}, row
    assert len(shapes) == int(row['frames']) and not reader.truncated, row
