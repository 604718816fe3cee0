"""The realism score is D with w0 + ê, whatever the batch."""

import numpy as np
import pytest

from flaxheads import fewshot
from flaxheads import networks as nets
from flaxheads.data.pixels import to_float
from flaxheads.landmarks.rasterise import rasterise_landmarks
from tests.faces import make_person
from tests.tiny_game import SIZE, make_config, make_model


@pytest.fixture(scope='module')
def model():
  return make_model(make_config())


@pytest.fixture(scope='module')
def person():
  return make_person(num_frames=18, size=SIZE)


def test_it_is_the_discriminator_of_the_model(model, person):
  embed, score = fewshot.make_realism_scorer(model)
  known = embed(person.frames[:4], person.points[:4])
  found = score(known, person.frames, person.points)
  assert found.shape == (18,) and found.dtype == np.float32

  def direct(i):
    pictures = rasterise_landmarks(person.points[i : i + 1], SIZE)
    frames = to_float(person.frames[i : i + 1])
    params = model.normal['discriminator']
    rows = np.asarray(known)[None]
    return nets.discriminate(
      model.networks, params, frames, pictures, rows
    ).score

  for i in (0, 15, 16, 17):
    np.testing.assert_allclose(found[i], direct(i)[0], rtol=1e-4)


def test_it_does_not_depend_on_the_batch(model, person):
  embed, score = fewshot.make_realism_scorer(model)
  known = embed(person.frames[:4], person.points[:4])
  whole = score(known, person.frames, person.points)
  for size in (1, 5, 17):
    parts = [
      score(known, person.frames[i : i + size], person.points[i : i + size])
      for i in range(0, 18, size)
    ]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-5)


def test_it_knows_the_person_and_the_landmarks(model, person):
  embed, score = fewshot.make_realism_scorer(model)
  known = embed(person.frames[:4], person.points[:4])
  other = embed(255 - person.frames[:4], person.points[:4])
  scores = score(known, person.frames, person.points)
  assert np.abs(score(other, person.frames, person.points) - scores).min() > 0
  moved = score(known, person.frames, person.points + 5)
  assert np.abs(moved - scores).min() > 0
