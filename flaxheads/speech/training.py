"""Training of the mouth network on synthetic or recorded speech.

Clean mel power and the mouth of every utterance are computed once; rooms,
noise, microphones, codecs and other vocal tracts are simulated on the mel power
of every batch, where they cost little.
"""

from collections.abc import Callable, Iterable, Sequence
from importlib import resources
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy.signal

from flaxheads.speech import features, levels, visemes, voices
from flaxheads.speech.network import (
  LOOKAHEAD,
  STRIDE,
  MouthNetwork,
  output_times,
)

_BATCH = 12
_FRAMES = 144  # of output in a training example: 2.88 s
_LEAD = 40  # frames at its start that do not count: levels settle in them
_SHUFFLED_SHARE = 0.5  # of the texts are words in random order
_CLOSED, _CLOSED_WEIGHT = 0.12, 1.0  # opening; more than the other frames
# Lips of fluent speakers stay parted for most sounds: small openings grow.
_PRESSED, _PARTED = 0.02, 0.7
_LOUD = 1e-3  # mean power of the loudest tenth of an utterance
_PITCHES = (85.0, 240.0)  # Hz
_SLOWNESS = (0.75, 1.45)


class Example(NamedTuple):
  """An utterance: float32 mel power [2 F, NUM_BANDS], mouth [F, 3]."""

  power: np.ndarray
  mouth: np.ndarray


def read_sentences() -> list[str]:
  """The English sentences that lie beside this module."""
  text = resources.files('flaxheads.speech').joinpath('sentences.txt')
  return text.read_text(encoding='utf-8').splitlines()


def make_examples(
  sentences: Sequence[str],
  count: int,
  seed: int,
  count_to: Callable[[int], Iterable[int]] = range,
) -> list[Example]:
  """Has `count` texts spoken, in all voices, rates and pitches.

  Args:
    sentences: half of the texts are these, half are their words at random.
    count: number of utterances.
    seed: other seeds are other utterances.
    count_to: range, or one that shows progress.

  Raises:
    UserError: no program that speaks is installed.
  """
  rng = np.random.default_rng(seed)
  words = ' '.join(sentences).translate(str.maketrans('', '', '.,?')).split()
  examples = []
  for _ in count_to(count):
    text = sentences[rng.integers(len(sentences))]
    if rng.random() < _SHUFFLED_SHARE:
      text = ' '.join(rng.choice(words, rng.integers(3, 14)))
    spoken = voices.speak(
      text,
      rng.choice(voices.names()),
      float(np.exp(rng.uniform(*np.log(_SLOWNESS)))),
      rng.uniform(*_PITCHES),
    )
    examples.append(make_example(spoken, rng))
  return examples


def make_example(spoken: voices.Utterance, rng) -> Example:
  """Features and mouth of an utterance, with silence about it."""
  before, after = rng.uniform(0.05, 0.7, 2)
  samples = np.pad(
    spoken.samples, [round(s * features.RATE) for s in (before, after)]
  )
  phonemes = [
    p._replace(start=p.start + before, end=p.end + before)
    for p in spoken.phonemes
  ]
  power = features.mel_power(samples)
  power = power[: len(power) // STRIDE * STRIDE]
  power *= _LOUD / (np.percentile(power.mean(1), 90) + features.FLOOR)
  times = output_times(len(power) // STRIDE)
  mouth = visemes.mouth_of(phonemes, times)
  opened = np.maximum(mouth[:, [0, 2]] - _PRESSED, 0)
  mouth[:, [0, 2]] = opened**_PARTED
  return Example(power, mouth)


def cut(examples: Sequence[Example], size: int, rng) -> Example:
  """A batch: random pieces of random utterances, _FRAMES of output each."""
  pieces = []
  for _ in range(size):
    chosen, length = [], 0
    while length <= _FRAMES:
      chosen.append(examples[rng.integers(len(examples))])
      length += len(chosen[-1].mouth)
    power, mouth = (np.concatenate(p) for p in zip(*chosen, strict=True))
    first = rng.integers(length - _FRAMES)
    last = first + _FRAMES
    pieces.append((power[STRIDE * first : STRIDE * last], mouth[first:last]))
  return Example(*(np.stack(part) for part in zip(*pieces, strict=True)))


def augment(power: np.ndarray, rng: np.random.Generator) -> np.ndarray:
  """Other throats, rooms, microphones, noise and codecs.

  Args:
    power: float32 [B, F, NUM_BANDS], clean mel power.
    rng: source of randomness.

  Returns:
    float32 [B, F, NUM_BANDS].
  """
  size, frames, bands = power.shape
  place = np.arange(bands)
  out = np.empty_like(power)
  for i in range(size):
    # Vocal tracts of other lengths shift the formants (Jaitly and Hinton 2013).
    warp = np.clip(place * rng.uniform(0.85, 1.18), 0, bands - 1)
    low = np.minimum(warp.astype(int), bands - 2)
    share = (warp - low).astype(np.float32)
    x = power[i][:, low] * (1 - share) + power[i][:, low + 1] * share
    if rng.random() < 0.5:
      x = _reverberate(x, rng)
    waves = np.cos(
      np.outer(place / bands, np.pi * np.arange(1, 5)) + rng.uniform(0, 6.3, 4)
    )
    decibels = waves @ rng.normal(0, 3.0, 4) + rng.uniform(-6, 6) * (
      place / bands - 0.5
    )
    x = x * 10 ** (decibels / 10)
    speech = np.percentile(x.mean(1), 90) + 1e-12
    x = x * (10 ** (rng.uniform(-4.2, -1.2)) / speech)
    x = x + _noise(frames, bands, x, rng)
    if rng.random() < 0.2:  # telephones and codecs
      x[:, rng.integers(24, bands) :] *= 1e-3
    out[i] = x
  return out


def _reverberate(x, rng):
  """Exponential decay of power, with a share of direct sound."""
  decay = np.exp(-13.8 * 0.01 / rng.uniform(0.15, 0.7))  # 60 dB in so long
  wet = rng.uniform(0.02, 0.25)
  return x + scipy.signal.lfilter([wet], [1, -decay], x, axis=0)


def _noise(frames, bands, x, rng):
  """Stationary noise of a random colour, 10 to 55 dB below the speech."""
  colour = 10 ** (
    np.interp(np.arange(bands), np.linspace(0, bands, 6), rng.normal(0, 0.5, 6))
    - rng.uniform(0, 1.0) * np.arange(bands) / bands
  )
  level = np.percentile(x.mean(1), 90) * 10 ** -rng.uniform(1.0, 5.5)
  # Power of noise in a band of several bins: gamma, not constant.
  return level * colour * rng.gamma(3.0, 1 / 3.0, (frames, bands))


def loss_of(params, network, inputs, mouth, weights=(2.0, 1.0, 1.0)):
  """Squared error of the mouth, and of how fast it moves."""
  predicted = network.apply({'params': params}, inputs)
  # What the first and last frames need lies outside of the example.
  error = (predicted - mouth)[:, _LEAD:-LOOKAHEAD]
  moves = jnp.diff(error, axis=1) * 3
  weights = jnp.asarray(weights)
  # Closed lips are rare and quick, and an eye misses them most.
  closed = mouth[:, _LEAD:-LOOKAHEAD, :1] < _CLOSED
  squared = jnp.square(error) * (1 + _CLOSED_WEIGHT * closed)
  return (squared.mean((0, 1)) * weights).sum() + (
    jnp.square(moves).mean((0, 1)) * weights
  ).sum() * 0.3


def train(
  examples: Sequence[Example],
  steps: int,
  seed: int,
  count_to: Callable[[int], Iterable[int]] = range,
  report: Callable[[float], None] = lambda loss: None,
) -> dict:
  """Trains a network.

  Args:
    examples: of `make_examples`.
    steps: number of updates.
    seed: of the parameters and batches.
    count_to: range, or one that shows progress.
    report: called with the loss of every step.

  Returns:
    The parameters of MouthNetwork, float32.
  """
  network = MouthNetwork()
  rng = np.random.default_rng(seed)
  shape = (1, STRIDE * _FRAMES, features.NUM_BANDS)
  params = network.init(jax.random.key(seed), jnp.zeros(shape))['params']
  schedule = optax.warmup_cosine_decay_schedule(
    0, 2e-3, min(50, steps // 2), steps, 2e-5
  )
  optimizer = optax.chain(
    optax.clip_by_global_norm(1.0), optax.adamw(schedule, weight_decay=1e-3)
  )
  state = optimizer.init(params)

  @jax.jit
  def step(params, state, inputs, mouth):
    value, gradient = jax.value_and_grad(loss_of)(
      params, network, inputs, mouth
    )
    updates, state = optimizer.update(gradient, state, params)
    return optax.apply_updates(params, updates), state, value

  for _ in count_to(steps):
    batch = cut(examples, _BATCH, rng)
    power, _ = levels.adjust(augment(batch.power, rng))
    inputs = features.log_mel(power)
    params, state, value = step(params, state, inputs, batch.mouth)
    report(float(value))
  return params


def to_float16(params: dict) -> dict:
  """Parameters as they are part of the package."""
  return jax.tree.map(lambda value: np.asarray(value, np.float16), params)
