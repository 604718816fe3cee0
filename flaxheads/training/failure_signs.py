"""Warnings about known failures of training."""

from absl import logging

# Limits for the preview, from the step at which a run that works shows heads.
_FROM_STEP = 1000
_LEAST_CONTRAST = 0.15
_LEAST_VARIETY = 0.1
_MOST_CLIPPED = 0.5
# Of the hinge loss: 2 before anything is learned, 0 where D is certain.
_LEAST_HINGE = 0.05
_PATIENCE = 10  # logs in a row

_ADVICE = {
  'contrast': (
    'the generated frames are nearly uniform ({value:.0%} of the contrast of '
    'the real ones): G has collapsed; lower '
    'optimizer.generator_learning_rate or go back to an earlier checkpoint'
  ),
  'variety': (
    'all people look alike ({value:.0%} of the real difference between them): '
    'the embedding does not reach G; see generator/match, or lower '
    'loss.match'
  ),
  'clipped': (
    '{value:.0%} of the colour values are black or white: G is saturated; '
    'lower optimizer.generator_learning_rate'
  ),
  'hinge': (
    'D separates x from x̂ with certainty for {value:.0f} logs in a row: G '
    'gets no gradient from it; lower optimizer.discriminator_learning_rate'
  ),
}


class FailureSigns:
  """Warns once for every sign, and again when it returns.

  Args:
    knows_people: whether different people should look different.
  """

  def __init__(self, knows_people: bool = True):
    self._knows_people = knows_people
    self._present = set()
    self._certain = 0

  def _note(self, name: str, present: bool, step: int, value: float) -> None:
    if present and name not in self._present:
      logging.warning('step %d: %s', step, _ADVICE[name].format(value=value))
    (self._present.add if present else self._present.discard)(name)

  def check_losses(self, step: int, scalars: dict[str, float]) -> None:
    """Takes the scalars of one log."""
    if 'discriminator/hinge' not in scalars:  # another kind of experiment
      return
    sure = scalars['discriminator/hinge'] < _LEAST_HINGE
    self._certain = self._certain + 1 if sure else 0
    self._note('hinge', self._certain >= _PATIENCE, step, self._certain)

  def check_preview(self, step: int, scalars: dict[str, float]) -> None:
    """Takes the scalars of one preview."""
    if (
      step < _FROM_STEP or 'people/contrast' not in scalars
    ):  # or not of frames
      return
    contrast, variety, clipped = (
      scalars[f'people/{name}'] for name in ('contrast', 'variety', 'clipped')
    )
    self._note('contrast', contrast < _LEAST_CONTRAST, step, contrast)
    alike = self._knows_people and variety < _LEAST_VARIETY
    self._note('variety', alike, step, variety)
    self._note('clipped', clipped > _MOST_CLIPPED, step, clipped)
