"""The code of the watermark: the words most like what was heard, in order."""

import numpy as np
import pytest

from flaxheads.provenance import codes
from flaxheads.provenance.codes import Payload

PAYLOAD = Payload(0x12AB, 0x34CDEF)
FREE_DISTANCE = 24  # of the rate 1/4 code of constraint length 9


def code_word(word):
  """Encodes 64 bits, of whatever CRC: a shift register and its taps."""
  register, sent = [0] * 9, []
  for bit in [*word, *[0] * 8]:
    register = [bit, *register[:-1]]
    for taps in ('111110101', '110111001', '101001011', '100111011'):
      ones = sum(b for b, tap in zip(register, taps, strict=True) if tap == '1')
      sent.append(1 - 2 * (ones % 2))
  return np.array(sent, np.float64)


def heard(seed, noise):
  rng = np.random.default_rng(seed)
  return codes.encode(PAYLOAD) + rng.normal(0, noise, codes.NUM_CODE_BITS)


def test_without_noise_the_next_words_are_the_free_distance_away():
  sent = codes.encode(PAYLOAD)
  words = codes.best_words(sent, 3)
  likeness = [float(code_word(word) @ sent) for word in words]
  away = codes.NUM_CODE_BITS - 2 * FREE_DISTANCE
  assert likeness == [codes.NUM_CODE_BITS, away, away]
  np.testing.assert_array_equal(code_word(words[0]), sent)


@pytest.mark.parametrize('seed', range(4))
def test_words_come_best_first_and_once(seed):
  soft = heard(seed, 1.6)
  words = codes.best_words(soft, 8)
  likeness = [code_word(word) @ soft for word in words]
  assert likeness == sorted(likeness, reverse=True)
  assert len({tuple(word) for word in words}) == 8
  assert codes.best_words(soft, 3) == words[:3]
  # None of all words that differ from the best by one path is forgotten.
  best = words[0]
  for place in range(len(best) - 5):
    for flips in ([0], [0, 1], [0, 2], [0, 1, 3]):
      other = list(best)
      for flip in flips:
        other[place + flip] ^= 1
      if code_word(other) @ soft > likeness[-1]:
        assert other in words


def test_more_words_find_more():
  found = [
    [codes.decode(heard(seed, 1.65), count) for seed in range(40)]
    for count in (1, 8)
  ]
  one, eight = (sum(each == PAYLOAD for each in of) for of in found)
  assert 40 > eight > one
  for first, either in zip(*found, strict=True):
    assert either in (None, PAYLOAD)
    assert first is None or first == either
