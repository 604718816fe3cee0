"""Illnesses of a run are told once, in words."""

import pytest

from flaxheads.training.health import Health


def _look(**figures):
  healthy = {'contrast': 0.9, 'variety': 0.8, 'clipped': 0.01}
  return {f'people/{k}': v for k, v in (healthy | figures).items()}


@pytest.mark.parametrize(
  'figures, words',
  [
    ({'contrast': 0.02}, 'nearly uniform (2% of the contrast'),
    ({'variety': 0.05}, 'all people look alike (5% of'),
    ({'clipped': 0.8}, '80% of the colour values sit at black or white'),
  ],
)
def test_collapsed_pictures_are_reported_once(caplog, figures, words):
  health = Health()
  health.see_people(2000, _look(**figures))
  health.see_people(3000, _look(**figures))
  assert caplog.text.count(words) == 1
  assert 'step 2000' in caplog.text
  health.see_people(4000, _look())
  health.see_people(5000, _look(**figures))  # ill again
  assert caplog.text.count(words) == 2


def test_early_and_healthy_pictures_are_fine(caplog):
  health = Health()
  health.see_people(10, _look(contrast=0.0, variety=0.0, clipped=1.0))
  health.see_people(5000, _look())
  assert caplog.text == ''


def test_a_certain_discriminator_is_reported_when_it_lasts(caplog):
  health = Health()
  for step in range(9):
    health.see_losses(step, {'discriminator/hinge': 0.001})
  health.see_losses(9, {'discriminator/hinge': 1.2})  # it was a moment
  for step in range(10, 19):
    health.see_losses(step, {'discriminator/hinge': 0.001})
  assert caplog.text == ''
  health.see_losses(19, {'discriminator/hinge': 0.001})
  assert 'D has told x from' in caplog.text
