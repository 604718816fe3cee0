"""Signs of failure are reported once."""

import pytest

from flaxheads.training.failure_signs import FailureSigns


def _preview(**figures):
  good = {'contrast': 0.9, 'variety': 0.8, 'clipped': 0.01}
  return {f'people/{k}': v for k, v in (good | figures).items()}


@pytest.mark.parametrize(
  'figures, words',
  [
    ({'contrast': 0.02}, 'nearly uniform (2% of the contrast'),
    ({'variety': 0.05}, 'all people look alike (5% of'),
    ({'clipped': 0.8}, '80% of the colour values are black or white'),
  ],
)
def test_collapsed_images_are_reported_once(caplog, figures, words):
  signs = FailureSigns()
  signs.check_preview(2000, _preview(**figures))
  signs.check_preview(3000, _preview(**figures))
  assert caplog.text.count(words) == 1
  assert 'step 2000' in caplog.text
  signs.check_preview(4000, _preview())
  signs.check_preview(5000, _preview(**figures))
  assert caplog.text.count(words) == 2


def test_early_and_good_previews_are_fine(caplog):
  signs = FailureSigns()
  signs.check_preview(10, _preview(contrast=0.0, variety=0.0, clipped=1.0))
  signs.check_preview(5000, _preview())
  assert caplog.text == ''


def test_a_certain_discriminator_is_reported_when_it_lasts(caplog):
  signs = FailureSigns()
  for step in range(9):
    signs.check_losses(step, {'discriminator/hinge': 0.001})
  signs.check_losses(9, {'discriminator/hinge': 1.2})  # it was a moment
  for step in range(10, 19):
    signs.check_losses(step, {'discriminator/hinge': 0.001})
  assert caplog.text == ''
  signs.check_losses(19, {'discriminator/hinge': 0.001})
  assert 'D separates x from' in caplog.text
