"""--init_from as a user gives it; what it does is in tests/training."""

import pytest

from flaxheads.fewshot.model import shipped_model
from tests.launch.commands import call


@pytest.mark.parametrize(
  'arguments, message',
  [
    (['--config=configs/tiny.py', '--init_from=/none'], '/none'),
    (
      ['--config=configs/x2face_64.py', '--init_from=/none'],
      '--init_from=/none: not supported for x2face',
    ),
    (
      ['--config=configs/tiny.py', f'--init_from={shipped_model()}'],
      "a model of a bi-layer generator; this --config needs one of the paper's",
    ),
    (
      ['--config=configs/bilayer_tiny.py', '--init_from={direct}'],
      "a model of the paper's generator; this --config needs one of a bi-layer",
    ),
  ],
)
def test_a_user_error_is_one_line(arguments, message, things, tmp_path):
  arguments = [each.format(direct=things.model) for each in arguments]
  workdir = tmp_path / 'run'
  data = f'--config.data.data_dir={tmp_path}'
  done = call('train', *arguments, f'--workdir={workdir}', data)
  assert (done.code, done.out) == (2, '')
  assert message in done.err and done.err.count('\n') == 1
  assert not workdir.exists()
