"""From sound to the mouth: features, visemes and the network."""

import itertools
import tracemalloc

import numpy as np
import pytest
import scipy.signal

from flaxheads.speech import features, levels, network, visemes
from flaxheads.speech.hearing import judge
from flaxheads.speech.visemes import Phoneme, mouth_of

RNG = np.random.default_rng(5)


def noise(seconds, seed=0):
  """Noise in syllables: loud and quiet five times a second."""
  samples = np.random.default_rng(seed).normal(0, 0.1, int(seconds * 16_000))
  beat = np.sin(np.arange(len(samples)) / 16_000 * 2 * np.pi * 2.5) ** 2
  return (samples * beat).astype(np.float32)


def test_mel_power_is_that_of_a_spectrogram():
  samples = noise(0.5)
  power = features.mel_power(samples)
  window = np.hanning(features.WINDOW + 1)[:-1]
  _, _, spectrum = scipy.signal.stft(
    samples,
    window=window,
    nperseg=features.WINDOW,
    noverlap=features.WINDOW - features.HOP,
    nfft=512,
    boundary=None,
    padded=False,
  )
  # SciPy divides by the sum of the window, we by its norm.
  wanted = np.abs(spectrum.T * window.sum()) ** 2 / np.square(window).sum()
  np.testing.assert_allclose(
    power, wanted @ features.mel_filters(), rtol=1e-3, atol=1e-6
  )
  assert power.mean() == pytest.approx(np.square(samples).mean(), rel=0.1)


def test_a_tone_lies_in_its_band():
  time = np.arange(16_000) / 16_000
  peaks = [
    features.mel_power(np.sin(2 * np.pi * hertz * time))[10].argmax()
    for hertz in (200, 1000, 4000)
  ]
  mel = 2595 * np.log10(1 + np.array([200, 1000, 4000, 60, 7600]) / 700)
  wanted = (mel[:3] - mel[3]) / (mel[4] - mel[3]) * 41 - 1
  np.testing.assert_allclose(peaks, wanted, atol=1)


def test_chunks_of_sound_give_the_frames_of_the_whole():
  samples = noise(1.3)
  cuts = np.sort(RNG.integers(0, len(samples), 9))
  joined = np.concatenate(list(features.stream(np.split(samples, cuts))))
  np.testing.assert_allclose(joined, features.mel_power(samples), rtol=1e-5)


def test_downsampling_keeps_time_and_drops_what_is_too_high():
  time = np.arange(48_000) / 48_000
  low, high = (np.sin(2 * np.pi * hertz * time) for hertz in (440, 12_000))
  pieces = features.downsample(np.split(low + high, [7, 1000, 1001, 40_000]))
  ours = np.concatenate(list(pieces))
  assert len(ours) == 16_000
  np.testing.assert_allclose(ours[100:-100], low[::3][100:-100], atol=0.02)


def test_levels_remove_noise_and_gain():
  sounds = np.repeat(np.arange(600) // 25 % 2, features.HOP)  # pauses, 0.25 s
  speech = features.mel_power(sounds * noise(6.0))
  steady = RNG.gamma(3, 1e-5 / 3, speech.shape)
  clear, noisy, far = (
    levels.adjust(power)[0][300:]
    for power in (speech, speech + steady, speech / 100)
  )
  loudest = [np.percentile(x.mean(1), 90) for x in (clear, noisy, far)]
  np.testing.assert_allclose(loudest, loudest[0], rtol=0.2)
  pauses = speech[300:].mean(1) < 1e-6
  assert pauses.mean() > 0.3
  left = noisy[pauses].mean() / loudest[1]
  noise_before = steady.mean() / np.percentile(speech.mean(1), 90)
  assert left < 0.3 * noise_before
  assert not levels.adjust(np.zeros_like(speech))[0].any()


def test_levels_do_not_depend_on_pieces():
  power = features.mel_power(noise(1.0))
  whole, _ = levels.adjust(power)
  known, parts = None, []
  for piece in np.split(power, [1, 7, 7, 60]):
    part, known = levels.adjust(piece, known)
    parts.append(part)
  np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-5)
  stacked, _ = levels.adjust(np.stack([power, 2 * power]))
  np.testing.assert_allclose(stacked[0], whole, rtol=1e-5)


def test_two_sounds_blend_by_dominance():
  times = np.linspace(0, 0.4, 41)
  ours = mouth_of([Phoneme('aa', 0.1, 0.2), Phoneme('s', 0.2, 0.3)], times)
  total, weight = 0.0, 1e-6
  for name, middle in (('aa', 0.15), ('s', 0.25)):
    shape = visemes.VISEMES[name]
    away = np.maximum(np.abs(times - middle) - 0.025, 0)
    near = shape.dominance[0] * np.exp(-away / shape.reach)
    total, weight = total + near * shape.opening, weight + near
  np.testing.assert_allclose(ours[:, 0], total / weight, atol=1e-5)


def test_bilabials_close_the_lips_between_any_vowels():
  vowels = sorted(name for name in visemes.PHONEMES if name[0] in 'aeiou')
  closed = []
  for before, lips, after in itertools.product(
    vowels, visemes.BILABIALS, vowels
  ):
    phonemes = [
      Phoneme(before, 0.0, 0.12),
      Phoneme(lips, 0.12, 0.19),
      Phoneme(after, 0.19, 0.32),
    ]
    mouth = mouth_of(phonemes, np.linspace(0.1, 0.21, 12))
    closed.append(mouth[:, 0].min() < 0.03)
  assert np.mean(closed) >= 0.9


def test_silence_keeps_the_mouth_shut():
  params = network.load_params()
  mouth = network.predict(params, [np.zeros((400, features.NUM_BANDS))])
  assert mouth.shape == (200, 3)
  assert mouth[:, 0].max() < 0.05
  assert np.abs(mouth[:, 1]).max() < 0.1
  assert network.predict(params, []).shape == (0, 3)


def test_sound_after_the_look_ahead_changes_nothing():
  params, power = network.load_params(), features.mel_power(noise(2.0))
  changed, at = power.copy(), 120
  changed[at:] = features.mel_power(noise(2.0, 1))[at:]
  one, other = (network.predict(params, [p]) for p in (power, changed))
  first = at // network.STRIDE - network.LOOKAHEAD
  np.testing.assert_array_equal(one[:first], other[:first])
  assert np.abs(one - other)[first : first + 10].max() > 1e-3
  # A frame of output is known when its last window has ended.
  last = (first - 1 + network.LOOKAHEAD) * network.STRIDE + network.STRIDE - 1
  end = (last * features.HOP + features.WINDOW) / features.RATE
  # Frames of a video lie between those of the output: 20 ms.
  assert end - network.output_times(first)[-1] + 0.02 < 0.1


def test_the_mouth_does_not_depend_on_pieces_and_needs_no_memory():
  params, power = network.load_params(), features.mel_power(noise(50.0))
  whole = network.predict(params, [power])
  pieces = network.predict(params, np.split(power, [3, 1000, 1001, 4200]))
  assert len(whole) == len(power) // 2
  np.testing.assert_allclose(whole, pieces, atol=1e-5)
  minutes = 10
  tracemalloc.start()
  mouth = network.predict(params, (power[:100] for _ in range(60 * minutes)))
  peak = tracemalloc.get_traced_memory()[1]
  tracemalloc.stop()
  assert len(mouth) == 60 * minutes * 50
  assert peak < 60 * minutes * power[:100].nbytes / 2


def test_what_is_not_speech_is_told():
  def levels(samples):
    return 10 * np.log10(features.mel_power(samples).mean(1) + features.FLOOR)

  assert judge(levels(noise(2.0))) == []
  steady = RNG.normal(0, 0.1, 32_000)
  assert 'hardly varies' in judge(levels(steady))[0]
  assert 'is silent' in judge(levels(np.zeros(32_000)))[0]
