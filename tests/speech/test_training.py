"""Training data for the mouth: programs' output, examples, augmentation."""

import shutil

import numpy as np
import pytest

from flaxheads.errors import RunFailedError, UserError
from flaxheads.speech import features, network, recordings, training, voices
from flaxheads.speech.face import Gestures, controls_of, points_of
from flaxheads.speech.idle import idle_motion
from flaxheads.speech.visemes import PAUSE, Phoneme
from flaxheads.speech.voices import Utterance, read_phonemes
from tests.speech.test_sound_to_mouth import noise


def test_phonemes_are_read_as_flite_prints_them():
  assert read_phonemes('pau:0.164 hh:0.255 axr:0.304 ') == [
    Phoneme(PAUSE, 0.0, 0.164),
    Phoneme('hh', 0.164, 0.255),
    Phoneme('er', 0.255, 0.304),
  ]
  for printed in ('hello', 'hh:x', 'qq:0.3'):
    with pytest.raises(RunFailedError):
      read_phonemes(printed)


def test_a_missing_program_is_named(monkeypatch):
  monkeypatch.setattr(shutil, 'which', lambda name: None)
  with pytest.raises(UserError, match='flite: not installed.*apt install'):
    voices.check_installed()


@pytest.mark.skipif(not shutil.which('flite'), reason='needs flite')
def test_flite_speaks_at_the_asked_rate():
  quick, slow = (voices.speak('Hello.', 'slt', s, 180) for s in (1.0, 2.0))
  for spoken in (quick, slow):
    names = [p.name for p in spoken.phonemes]
    assert names == [PAUSE, 'hh', 'ax', 'l', 'ow', PAUSE]
    seconds = len(spoken.samples) / features.RATE
    assert spoken.phonemes[-1].end == pytest.approx(seconds, abs=0.1)
  assert slow.phonemes[-2].end > 1.5 * quick.phonemes[-2].end


def test_an_example_opens_the_mouth_while_it_sounds():
  loud = np.where(np.arange(16_000) // 4000 == 2, noise(1.0), 0)
  spoken = Utterance(
    loud.astype(np.float32),
    [
      Phoneme(PAUSE, 0, 0.5),
      Phoneme('aa', 0.5, 0.75),
      Phoneme(PAUSE, 0.75, 1.0),
    ],
  )
  power, mouth = training.make_example(spoken, np.random.default_rng(0))
  assert len(power) == network.STRIDE * len(mouth)
  sounds = power.reshape(len(mouth), -1).mean(1)
  sounding = np.flatnonzero(sounds > 0.1 * sounds.max())
  assert sounding[0] <= mouth[:, 0].argmax() <= sounding[-1]
  assert mouth[sounding, 0].max() > 0.8 > 0.2 > mouth[[0, -1], 0].max()


def test_augmentation_keeps_time_and_changes_the_rest():
  power = features.mel_power(noise(2.7))[: network.STRIDE * 128]
  batch = np.stack([power] * 16)
  changed = training.augment(batch, np.random.default_rng(0))
  assert changed.shape == batch.shape and (changed >= 0).all()
  level = np.log(power.mean(1) + 1e-4)
  levels = features.log_mel(changed).mean(2)
  assert np.mean([np.corrcoef(level, x)[0, 1] for x in levels]) > 0.7
  # Levels from microphones near and far: 30 dB.
  assert np.ptp(10 * np.log10(changed.mean((1, 2)))) > 15


def test_a_clip_shows_the_mouth_that_it_speaks_with():
  times = np.arange(75) / 25
  opening = np.maximum(np.sin(7 * times), 0)
  mouth = np.stack([opening, 0.5 * np.sin(3 * times), opening], -1)
  none = np.zeros(75)
  motion = idle_motion(times, none, np.random.default_rng(3))
  points = points_of(Gestures(mouth, none, none), motion) * 60
  seen = controls_of(points)
  for ours, wanted in zip(seen.T, mouth.T, strict=True):
    assert np.corrcoef(ours, wanted)[0, 1] > 0.9
  assert seen[:, 0].max() == pytest.approx(1, abs=0.3)


def test_what_is_prepared_is_read_again_and_the_rest_has_a_reason(
  tmp_path, monkeypatch
):
  power = features.mel_power(noise(2.0))[:190]
  example = training.Example(power, np.ones((95, 3), np.float32))

  def read(path, detector):
    if path.stem == 'music':
      raise UserError(f'{path}: is music')
    return [example, example]

  monkeypatch.setattr(recordings, 'read_recording', read)
  (tmp_path / 'videos' / 'anna').mkdir(parents=True)
  for name in ('anna/talk.mp4', 'music.mp4', 'notes.txt'):
    (tmp_path / 'videos' / name).write_bytes(b'')
  made = recordings.prepare(tmp_path / 'videos', tmp_path / 'data')
  assert made == {'anna/talk.mp4': 'kept', 'music.mp4': 'is music'}
  loaded = recordings.load_examples(tmp_path / 'data')
  assert len(loaded) == 2
  np.testing.assert_array_equal(loaded[1].power, example.power)
  (tmp_path / 'data' / 'other.npz').write_bytes(b'x')
  with pytest.raises(UserError, match='other.npz: not written'):
    recordings.load_examples(tmp_path / 'data')
  with pytest.raises(UserError, match='no prepared speech'):
    recordings.load_examples(tmp_path)
  with pytest.raises(UserError, match='no folder with videos'):
    recordings.prepare(tmp_path / 'data', tmp_path / 'more')
