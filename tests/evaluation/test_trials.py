"""Who takes part, and with which frames."""

import numpy as np
import pytest

from flaxheads.errors import UserError
from flaxheads.evaluation import splits, trials
from tests.faces import make_person


def test_trials_keep_only_the_frames_they_need():
  trial = trials.make_trial(make_person(num_frames=200), (1, 8), 'halves', 5)
  assert len(trial.frames) <= 1 + 8 + 5
  person = make_person(num_frames=200)
  expected = splits.split_clip(200, 'halves', 5).test
  np.testing.assert_array_equal(
    trial.frames[trial.test], person.frames[expected]
  )
  np.testing.assert_array_equal(
    trial.points[trial.test], person.points[expected]
  )


def test_wrong_people_are_refused():
  ann = make_person('ann')
  with pytest.raises(UserError, match='no people'):
    trials.make_trials([], (1,), 'halves')
  with pytest.raises(UserError, match="'ann' names two"):
    trials.make_trials([ann, ann], (1,), 'halves')
  with pytest.raises(UserError, match='num_shots: empty'):
    trials.make_trials([ann], (), 'halves')
  with pytest.raises(UserError, match='ann has 10; request at most 10'):
    trials.make_trials([ann], (1, 32), 'halves')
  with pytest.raises(UserError, match='bob: one frame'):
    trials.make_trials([make_person('bob', 1)], (1,), 'halves')
