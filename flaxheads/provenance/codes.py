"""The error-correcting code of the watermark's payload.

40 bits of payload and a CRC of 24 go through a convolutional code of rate 1/4
and constraint length 9, which a Viterbi decoder decodes with soft decisions.
The CRC selects among the most likely words: a random word passes it with
probability 2^-24.
"""

import functools
from typing import NamedTuple

import numpy as np

MODEL_BITS, RANDOM_BITS, CRC_BITS = 16, 24, 24
_MEMORY = 8
# TIA/EIA IS-2000.2, the convolutional code of rate 1/4, in octal.
_GENERATORS = (0o765, 0o671, 0o513, 0o473)
_CRC_POLYNOMIAL = 0x864CFB  # CRC-24 of RFC 4880, section 6.1
_CRC_START = 0xB704CE
_WORD_BITS = MODEL_BITS + RANDOM_BITS + CRC_BITS
NUM_CODE_BITS = (_WORD_BITS + _MEMORY) * len(_GENERATORS)


class Payload(NamedTuple):
  """What a watermark says.

  Attributes:
    model_id: the first 16 bits of the SHA-256 of the model.
    random_id: 24 random bits, which the manifest repeats.
  """

  model_id: int
  random_id: int

  def __str__(self) -> str:
    return f'{self.model_id:04x}-{self.random_id:06x}'


def _to_bits(value: int, count: int) -> list[int]:
  return [value >> (count - 1 - i) & 1 for i in range(count)]


def _to_int(bits) -> int:
  return functools.reduce(lambda value, bit: value << 1 | int(bit), bits, 0)


def crc24(bits) -> int:
  """CRC-24 of a sequence of bits, the first one highest."""
  value = _CRC_START
  for bit in bits:
    value ^= int(bit) << 23
    value = (value << 1) ^ (_CRC_POLYNOMIAL if value >> 23 & 1 else 0)
    value &= 0xFFFFFF
  return value


@functools.cache
def _trellis() -> tuple[np.ndarray, np.ndarray]:
  """For every new state its two predecessors, and what each step sends.

  A state is the last 8 bits, the newest highest.

  Returns:
    int [256, 2], and float [256, 2, 4] of ±1.
  """
  states = np.arange(1 << _MEMORY)
  newest = states >> (_MEMORY - 1)  # the bit that led here
  before = (states << 1) & 0xFF
  before = np.stack([before, before | 1], 1)  # [256, 2]
  register = (newest[:, None] << _MEMORY) | before  # nine bits
  sent = np.empty((*before.shape, len(_GENERATORS)))
  for i, generator in enumerate(_GENERATORS):
    ones = np.bitwise_count(register & generator)
    sent[..., i] = 1 - 2.0 * (ones & 1)
  return before, sent


def encode(payload: Payload) -> np.ndarray:
  """The code word of a payload, float32 [NUM_CODE_BITS] of ±1."""
  bits = _to_bits(payload.model_id, MODEL_BITS)
  bits += _to_bits(payload.random_id, RANDOM_BITS)
  bits += _to_bits(crc24(bits), CRC_BITS) + [0] * _MEMORY
  register, sent = 0, []
  for bit in bits:
    register = register >> 1 | bit << _MEMORY
    for generator in _GENERATORS:
      sent.append(1 - 2 * ((register & generator).bit_count() & 1))
  return np.array(sent, np.float32)


def best_words(soft: np.ndarray, count: int) -> list[list[int]]:
  """The words with the most likely code words, best first.

  A Viterbi decoder that keeps `count` paths to every state (Seshadri and
  Sundberg, "List Viterbi decoding algorithms with applications", 1994).

  Args:
    soft: float [NUM_CODE_BITS], as of `decode`.
    count: how many, L.

  Returns:
    L times payload and CRC, 64 bits.
  """
  before, sent = _trellis()
  received = np.asarray(soft, np.float64).reshape(-1, len(_GENERATORS))
  gains = received @ sent.reshape(-1, len(_GENERATORS)).T
  gains = gains.reshape(len(received), *before.shape, 1)  # [steps, 256, 2, 1]
  score = np.full((1 << _MEMORY, count), -np.inf)  # of the paths to a state
  score[0, 0] = 0
  choices = np.empty((len(received), *score.shape), np.int64)
  for choice, gain in zip(choices, gains, strict=True):
    candidates = (score[before] + gain).reshape(len(score), -1)  # [256, 2 L]
    choice[:] = np.argsort(-candidates, 1, kind='stable')[:, :count]
    score = np.take_along_axis(candidates, choice, 1)
  words = []
  for rank in range(count):
    state, bits = 0, []  # the tail of zeros ends there
    for choice in choices[::-1]:
      bits.append(state >> (_MEMORY - 1))
      which, rank = divmod(int(choice[state, rank]), count)
      state = int(before[state, which])
    words.append(bits[::-1][:_WORD_BITS])
  return words


def decode(soft: np.ndarray, count: int = 1) -> Payload | None:
  """The most likely payload whose CRC is right.

  Args:
    soft: float [NUM_CODE_BITS]: the code word of ±1 with noise; the scale does
      not matter.
    count: how many words to check by the CRC. Without a watermark, each passes
      it with probability 2^-24.

  Returns:
    The payload; None where the CRC refuses all.
  """
  for word in best_words(soft, count):
    content, crc = word[:-CRC_BITS], word[-CRC_BITS:]
    if _to_int(crc) == crc24(content):
      return Payload(
        _to_int(content[:MODEL_BITS]), _to_int(content[MODEL_BITS:])
      )
  return None
