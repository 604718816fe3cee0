"""The driver's sound under another video: in time, and nothing else changes."""

import fractions
import io

import av
import numpy as np
import pytest

from flaxheads.data.sound import add_sound, has_sound, read_sound
from flaxheads.data.video import read_video
from flaxheads.data.video_writer import VideoWriter

RATE = 44_100


def write_silent(path, seconds, fps=25):
  with VideoWriter(path, fps) as writer:
    for i in range(round(seconds * fps)):
      writer.write(np.full((64, 64, 3), 40 + i, np.uint8))


def write_loud(path, seconds, beeps, codec='aac', late=0.0):
  """A video with a beep of a tenth of a second at each of `beeps`."""
  time = np.arange(round((seconds - late) * RATE)) / RATE + late
  on = np.any([(time >= b) & (time < b + 0.1) for b in beeps], 0)
  wave = (0.5 * np.sin(2 * np.pi * 440 * time) * on).astype(np.float32)
  with av.open(str(path), 'w') as output:
    pictures = output.add_stream('libx264', rate=10)
    pictures.width = pictures.height = 64
    pictures.pix_fmt = 'yuv420p'
    sound = output.add_stream(codec, rate=RATE, layout='mono')
    for _ in range(round(seconds * 10)):
      frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))
      output.mux(pictures.encode(frame))
    output.mux(pictures.encode())
    piece = av.AudioFrame.from_ndarray(wave[None], 'fltp', 'mono')
    piece.sample_rate, piece.pts = RATE, round(late * RATE)
    output.mux(sound.encode(piece))
    output.mux(sound.encode())


def hear(path):
  """Times of the beeps' beginnings, and how long the sound lasts, seconds."""
  with av.open(str(path)) as opened:
    rate = opened.streams.audio[0].rate
    frames = list(opened.decode(audio=0))
  wave = np.concatenate([f.to_ndarray()[0] for f in frames])
  loud = np.convolve(np.abs(wave), np.ones(400) / 400, 'same') > 0.1
  starts = np.flatnonzero(np.diff(loud.astype(int)) == 1) / rate
  return starts + float(frames[0].time), len(wave) / rate


@pytest.fixture
def silent(tmp_path):
  path = tmp_path / 'silent.mp4'
  write_silent(path, 2)
  return path


def test_sound_is_kept_in_time(tmp_path, silent):
  write_loud(tmp_path / 'loud.mp4', 2, [0.5, 1.4])
  before = read_video(silent)
  add_sound(silent, tmp_path / 'loud.mp4', 0.0, 2.0)
  starts, length = hear(silent)
  np.testing.assert_allclose(starts, [0.5, 1.4], atol=0.03)
  assert length == pytest.approx(2, abs=0.05)
  after = read_video(silent)
  np.testing.assert_array_equal(before.frames, after.frames)
  np.testing.assert_allclose(before.times, after.times)
  assert sorted(p.name for p in tmp_path.iterdir()) == [
    'loud.mp4',
    'silent.mp4',
  ]


def test_a_later_start_cuts_and_a_longer_video_falls_silent(tmp_path, silent):
  write_loud(tmp_path / 'loud.mov', 1.5, [0.2, 1.0], 'pcm_s16le')
  add_sound(silent, tmp_path / 'loud.mov', 0.6, 2.0)
  starts, length = hear(silent)
  np.testing.assert_allclose(starts, [0.4], atol=0.03)
  assert length == pytest.approx(2, abs=0.05)


def test_sound_that_begins_late_stays_late(tmp_path, silent):
  write_loud(tmp_path / 'loud.mkv', 2, [1.2], 'flac', late=0.8)
  add_sound(silent, tmp_path / 'loud.mkv', 0.0, 2.0)
  np.testing.assert_allclose(hear(silent)[0], [1.2], atol=0.03)


def test_no_sound_changes_nothing(tmp_path, silent):
  write_silent(tmp_path / 'other.mp4', 1)
  before = silent.read_bytes()
  assert not has_sound(tmp_path / 'other.mp4')
  add_sound(silent, tmp_path / 'other.mp4', 0.0, 2.0)
  assert silent.read_bytes() == before


def test_damaged_sound_ends(tmp_path, silent):
  whole = tmp_path / 'loud.mkv'
  write_loud(whole, 2, [0.3, 1.7], 'flac')
  cut = tmp_path / 'cut.mkv'
  cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.6)])
  add_sound(silent, cut, 0.0, 2.0)
  assert hear(silent)[1] == pytest.approx(2, abs=0.05)


def test_sound_that_cannot_be_read_leaves_the_video(tmp_path, silent, caplog):
  before = silent.read_bytes()
  add_sound(silent, __file__, 0.0, 2.0)
  assert 'the video is silent (is not sound' in caplog.text
  write_loud(tmp_path / 'loud.mp4', 2, [0.5])
  (tmp_path / 'silent.mp4.sound.mp4').mkdir()  # where the copy is written
  add_sound(silent, tmp_path / 'loud.mp4', 0.0, 2.0)
  assert caplog.text.count('the video is silent') == 2
  assert silent.read_bytes() == before


def _tone(layout, rate, start):
  """An encoded second of 440 Hz as an MPEG stream that begins at `start` s."""
  file = io.BytesIO()
  with av.open(file, 'w', format='mpegts') as output:
    pictures = output.add_stream('libx264', rate=10)
    pictures.width = pictures.height = 64
    pictures.pix_fmt = 'yuv420p'
    sound = output.add_stream('aac', rate=rate, layout=layout)
    for i in range(10):
      frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))
      frame.pts = round(10 * start) + i
      frame.time_base = fractions.Fraction(1, 10)
      output.mux(pictures.encode(frame))
    output.mux(pictures.encode())
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    waves = np.tile(wave.astype(np.float32), (1 + (layout == 'stereo'), 1))
    piece = av.AudioFrame.from_ndarray(waves, 'fltp', layout)
    piece.sample_rate, piece.pts = rate, round(start * rate)
    output.mux(sound.encode(piece))
    output.mux(sound.encode())
  return file.getvalue()


@pytest.mark.parametrize(
  ('before', 'after'),
  [
    (('stereo', 48_000), ('mono', 48_000)),
    (('stereo', 48_000), ('stereo', 32_000)),
    (('mono', 44_100), ('stereo', 48_000)),
  ],
)
def test_sound_whose_format_changes(tmp_path, silent, before, after):
  path = tmp_path / 'loud.ts'
  path.write_bytes(_tone(*before, 0.0) + _tone(*after, 1.0))
  add_sound(silent, path, 0.0, 2.0)
  with av.open(str(silent)) as opened:
    frames = list(opened.decode(audio=0))
  wave = np.concatenate([f.to_ndarray()[0] for f in frames])
  for start in (0.25, 1.25):
    part = wave[round(start * 48_000) :][:24_000]
    spectrum = np.abs(np.fft.rfft(part * np.hanning(24_000)))
    assert 2 * spectrum.argmax() == pytest.approx(440, abs=4)  # Hz
    assert np.abs(part).max() > 0.3


@pytest.mark.parametrize(
  ('name', 'codec'),
  [
    ('a.wav', 'pcm_s16le'),
    ('a.mp3', 'libmp3lame'),
    ('a.m4a', 'aac'),
    ('a.flac', 'flac'),
    ('a.ogg', 'libopus'),
  ],
)
def test_sound_files_are_read_as_they_are_added(tmp_path, silent, name, codec):
  time = np.arange(2 * 48_000) / 48_000
  on = (time >= 0.5) & (time < 0.6)
  beep = (0.5 * np.sin(2 * np.pi * 440 * time) * on).astype(np.float32)
  path = tmp_path / name
  with av.open(str(path), 'w') as output:
    stream = output.add_stream(codec, rate=48_000, layout='mono')
    piece = av.AudioFrame.from_ndarray(beep[None], 'fltp', 'mono')
    piece.sample_rate, piece.pts = 48_000, 0
    output.mux(stream.encode(piece))
    output.mux(stream.encode())
  wave = np.concatenate(list(read_sound(path)))
  loud = np.convolve(np.abs(wave), np.ones(400) / 400, 'same') > 0.1
  assert np.argmax(loud) / 48_000 == pytest.approx(0.5, abs=0.03)
  assert len(wave) / 48_000 == pytest.approx(2, abs=0.06)
  add_sound(silent, path, 0.0, 2.0)
  starts, _ = hear(silent)
  np.testing.assert_allclose(starts, [0.5], atol=0.03)
