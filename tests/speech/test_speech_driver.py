"""Speech as a driver: idle heads, clips with another mouth, files, manifest."""

import types
import wave

import numpy as np
import pytest

from flaxheads.data.driver import Driver
from flaxheads.data.video_writer import VideoWriter
from flaxheads.errors import UserError
from flaxheads.fewshot.animation_job import marks_of
from flaxheads.landmarks import face_shape
from flaxheads.speech.driver import load_driver
from flaxheads.speech.face import Gestures, points_of, speak_with
from flaxheads.speech.idle import blinks, idle_motion, stresses
from tests.speech.test_sound_to_mouth import noise

SIZE = 128


def gap(points):
  """Between the inner lips, of the distance of the outer eye corners."""
  apart = points[:, [67, 66, 65], 1] - points[:, [61, 62, 63], 1]
  return apart.mean(1) / np.linalg.norm(points[:, 45] - points[:, 36], axis=1)


def lids(points):
  return (points[:, [41, 40], 1] - points[:, [37, 38], 1]).mean(1)


def write_speech(path, samples):
  with wave.open(str(path), 'wb') as file:
    file.setparams((1, 2, 16_000, 0, 'NONE', ''))
    file.writeframes((np.clip(samples, -1, 1) * 32767).astype('<i2').tobytes())
  return path


@pytest.fixture(scope='module')
def speech(tmp_path_factory):
  samples = np.concatenate([np.zeros(16_000), 4 * noise(2.0)])
  return write_speech(tmp_path_factory.mktemp('speech') / 'a.wav', samples)


def still_motion(count):
  none = np.zeros(count)
  return face_shape.Motion(
    np.broadcast_to(np.eye(3), (count, 3, 3)),
    none + 10,
    np.zeros((count, 2)),
    np.zeros((count, 0)),
  )


def test_gestures_move_what_they_name():
  mouth = np.array([[0, 0, 0], [1, 0, 1], [0, -1, 0], [0, 1, 0], [0, 0, 0]])
  shut = np.array([0, 0, 0, 0, 1.0])
  points = points_of(Gestures(mouth, shut, np.zeros(5)), still_motion(5))
  openings = gap(points)
  np.testing.assert_allclose(openings[[2, 3, 4]], openings[0], atol=0.005)
  assert openings[1] - openings[0] == pytest.approx(0.2, abs=0.02)
  width = points[:, 54, 0] - points[:, 48, 0]
  assert width[2] < width[0] - 5 and width[3] > width[0] + 2
  assert points[1, 8, 1] > points[0, 8, 1] + 8  # y points down
  height = lids(points)
  np.testing.assert_allclose(height[:4], height[0], rtol=0.1)
  assert height[4] < 0.25 * height[0]


def test_a_clip_speaks_with_another_mouth_and_keeps_the_rest():
  times, rng = np.arange(60) / 25, np.random.default_rng(4)
  known = face_shape.statistics()
  motion = idle_motion(times, 0 * times, rng)._replace(
    scale=np.full(60, 10.0), expression=rng.normal(0, 1, (60, 8))
  )
  clip = known.mean + known.identity[0] - known.identity[2] + motion.offsets()
  clip = face_shape.project(clip, motion) * (1, -1)
  wave_ = (1 - np.cos(np.arange(60) / 3)) / 2
  mouth = np.stack([wave_, 0 * wave_, wave_], -1)
  spoken = speak_with(clip, np.arange(60), mouth)
  assert np.corrcoef(gap(spoken), wave_)[0, 1] > 0.95
  np.testing.assert_allclose(lids(spoken), lids(clip), atol=0.6)
  nose = list(range(27, 36))
  np.testing.assert_allclose(spoken[:, nose], clip[:, nose], atol=1.0)


def test_people_blink_at_human_intervals():
  times = np.arange(0, 600, 0.04)
  shut = blinks(times, np.random.default_rng(1))
  starts = np.flatnonzero((shut[1:] > 0.5) & (shut[:-1] <= 0.5))
  assert 12 <= len(starts) / 10 <= 30  # in a minute
  assert np.diff(times[starts]).std() > 0.5
  assert shut.min() == 0 and shut.max() > 0.9


def test_stress_lies_on_syllables_and_motion_is_smooth_and_small():
  times = np.arange(0, 40, 0.04)
  loud = 40 * np.maximum(np.sin(times * 9), 0)
  rng = np.random.default_rng(2)
  stress = stresses(times, loud, rng)
  peaks = (stress[1:-1] > stress[:-2]) & (stress[1:-1] > stress[2:])
  peaks = np.flatnonzero(peaks & (stress[1:-1] > 0.4)) + 1
  assert len(peaks) > 5 and (loud[peaks] > 20).mean() > 0.9
  turned = idle_motion(times, stress, rng).rotation
  angles = np.degrees(np.arccos(np.clip(turned[:, 2, 2], -1, 1)))
  assert 1 < angles.max() < 15
  assert np.abs(np.diff(turned[:, 0, 2])).max() < np.radians(1)


def test_sound_alone_drives_a_head(speech):
  driver = load_driver(speech, SIZE)
  assert (len(driver.points), driver.fps) == (75, 25.0)
  assert driver.sound == driver.speech == speech and driver.path is None
  quiet, loud = gap(driver.points)[:20], gap(driver.points)[30:]
  assert quiet.max() < 0.02 < loud.max()
  again, other = (load_driver(speech, SIZE, seed=seed) for seed in (0, 1))
  np.testing.assert_array_equal(driver.points, again.points)
  assert np.abs(driver.points - other.points).max() > 1
  assert len(load_driver(speech, SIZE, fps=50, max_frames=40).points) == 40


def test_a_shorter_clip_is_played_to_and_fro(speech, tmp_path):
  points = load_driver(speech, SIZE, max_frames=30).points
  np.savez(tmp_path / 'clip.npz', points=points, times=np.arange(30) / 30)
  driver = load_driver(tmp_path / 'clip.npz', SIZE, speech=speech)
  assert len(driver.points) == 90 and driver.fps == 30
  assert driver.name == 'clip' and driver.path.name == 'clip.npz'
  # The first frame again after 58, but for the mouth: pose by the nose.
  eyes = [36, 39, 42, 45, 27, 30]
  np.testing.assert_allclose(
    driver.points[0, eyes], driver.points[58, eyes], atol=0.2
  )


def test_each_file_that_does_not_speak_is_told(tmp_path, speech):
  (tmp_path / 'broken.wav').write_bytes(b'RIFF' + bytes(100))
  with VideoWriter(tmp_path / 'silent.mp4', 25) as writer:
    writer.write(np.zeros((64, 64, 3), np.uint8))
  write_speech(tmp_path / 'short.wav', np.zeros(100))
  for name, text in {
    'broken.wav': 'is not sound of a known format, or damaged',
    'silent.mp4': 'has no sound',
    'missing.wav': 'no such file',
    'short.wav': 'give at least 0.1 s',
  }.items():
    with pytest.raises(UserError, match=text) as error:
      load_driver(None, SIZE, speech=tmp_path / name)
    assert name in str(error.value)
  with pytest.raises(
    UserError, match='is a sound file, and speech is given too'
  ):
    load_driver(speech, SIZE, speech=speech)
  silence = write_speech(tmp_path / 'silence.wav', np.zeros(16_000))
  assert 'is silent' in load_driver(silence, SIZE).remarks[0]


def test_the_manifest_says_that_speech_moved_the_mouth(speech):
  person = types.SimpleNamespace(info={})
  points = np.zeros((2, 68, 2))
  driver = Driver('a', points, None, 25.0, [], speech=speech)
  made = {}
  marks_of(person, [driver], lambda sha, facts: made.update(facts))
  assert [part['role'] for part in made['ingredients']] == [
    'portrait',
    'speech',
  ]
  assert made['mouth'] == 'generated from speech'
  made.clear()
  marks_of(person, [driver._replace(speech=None)], lambda _, f: made.update(f))
  assert made['ingredients'][1]['role'] == 'driver' and 'mouth' not in made
