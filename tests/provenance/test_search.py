"""The search for a cut image hears what a plain correlation hears."""

import cv2
import numpy as np
import pytest

from flaxheads.provenance import carriers, detection, watermark
from flaxheads.provenance.carriers import SIDE
from tests.provenance.test_watermark import PAYLOAD, make_clip

SIZES = range(98, SIDE + 1)


@pytest.fixture(scope='module')
def marked():
  clip = make_clip(seed=5)
  pattern = watermark.make_pattern(clip, PAYLOAD)
  return np.asarray(watermark.add_pattern(clip, pattern))


def _jpeg(frame):
  coded = cv2.imencode('.jpg', frame, [cv2.IMWRITE_JPEG_QUALITY, 50])[1]
  return cv2.imdecode(coded, cv2.IMREAD_COLOR)


PICTURES = {
  'whole': lambda f: f,
  'cut': lambda f: f[:, 7:-6, 6:-7],
  'cut at one side': lambda f: f[:, :, :-20],
  'cut and coded': lambda f: np.stack([_jpeg(x) for x in f[:, 5:-8, 9:-4]]),
  'noise': lambda f: np.random.default_rng(4).integers(0, 256, f.shape, 'u1'),
  'black': lambda f: f * 0,
}


def transform_of(frames):
  return detection._transform(detection.average(frames))


def prepared_transform(frames):
  prepared = detection._prepare(transform_of(frames), SIDE, SIDE)
  return carriers.basis(SIDE) @ prepared @ carriers.basis(SIDE).T


def pilots_picture():
  cosine = carriers.basis(SIDE)
  return cosine.T @ detection.pilot_transform() @ cosine


def correlate(own, height, width):
  """The pilots' image heard at all places of one size, by FFTs.

  Returns:
    float [SIDE + 1 - height, SIDE + 1 - width], for a canvas of norm 1.
  """
  canvas = np.zeros((SIDE, SIDE))
  canvas[:height, :width] = (
    carriers.synthesis(height) @ own @ carriers.synthesis(width).T
  )
  spectrum = np.conj(np.fft.rfft2(canvas)) * np.fft.rfft2(pilots_picture())
  heard = np.fft.irfft2(spectrum, s=(SIDE, SIDE))
  norm = np.sqrt(np.sum(canvas**2)) + 1e-9
  return heard[: SIDE + 1 - height, : SIDE + 1 - width] / norm


def plainly_found(own):
  """The best place of each size, and of those the three best, 3 apart."""
  found = []
  for height in SIZES:
    for width in SIZES:
      heard = correlate(own, height, width)
      top, left = np.unravel_index(heard.argmax(), heard.shape)
      found.append((heard[top, left], (top, left, height, width)))
  best = []
  for _, cut in sorted(found, key=lambda pair: -pair[0]):
    if all(max(np.abs(np.subtract(cut, b))) > 2 for b in best):
      best.append(cut)
  return best[:3]


def test_pilots_are_heard_as_a_correlation_hears_them(marked):
  own = prepared_transform(marked[:, 7:-6, 6:-7])
  heard, places = detection._hear_pilots(own), detection._places()
  assert heard.shape == (len(places.sizes),) * 2 == (496, 496)
  loudest = np.abs(heard).max()
  for height, width in [(98, 128), (115, 116), (128, 128), (127, 99)]:
    ours = heard[np.ix_(places.sizes == height, places.sizes == width)]
    plain = correlate(own, height, width)
    np.testing.assert_allclose(ours, plain, atol=1e-5 * loudest)


@pytest.mark.parametrize('name', ['cut', 'cut and coded', 'noise'])
def test_the_same_cuts_as_found_plainly(marked, name):
  frames = PICTURES[name](marked)
  ours = detection._find_cuts(transform_of(frames))
  assert [tuple(cut) for cut in ours] == plainly_found(
    prepared_transform(frames)
  )


@pytest.mark.parametrize('name', PICTURES)
def test_cuts_are_apart_and_within_the_image(marked, name):
  cuts = detection._find_cuts(transform_of(PICTURES[name](marked)))
  assert len(cuts) == len(set(cuts)) == 3
  for cut in cuts:
    assert cut.height in SIZES and cut.width in SIZES
    assert 0 <= cut.top <= SIDE - cut.height
    assert 0 <= cut.left <= SIDE - cut.width
  for one, other in [(0, 1), (0, 2), (1, 2)]:
    assert max(np.abs(np.subtract(cuts[one], cuts[other]))) > 2


@pytest.mark.parametrize('name', ['cut', 'cut at one side', 'cut and coded'])
def test_the_cut_is_found_where_it_was_made(marked, name):
  where = {
    'cut': (7, 6, 115, 115),
    'cut at one side': (0, 0, 128, 108),
    'cut and coded': (5, 9, 115, 115),
  }[name]
  best = detection._find_cuts(transform_of(PICTURES[name](marked)))[0]
  assert max(np.abs(np.subtract(best, where))) <= 1
