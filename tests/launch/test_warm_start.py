"""--init_from as a user gives it; what it does is in tests/training."""

import pytest

from tests.launch.commands import call


@pytest.mark.parametrize(
  'arguments, message',
  [
    (['--config=configs/tiny.py', '--init_from=/none'], '/none'),
    (
      ['--config=configs/x2face_64.py', '--init_from=/none'],
      '--init_from=/none: not supported for x2face',
    ),
  ],
)
def test_a_user_error_is_one_line(arguments, message, tmp_path):
  workdir = tmp_path / 'run'
  data = f'--config.data.data_dir={tmp_path}'
  done = call('train', *arguments, f'--workdir={workdir}', data)
  assert (done.code, done.out) == (2, '')
  assert message in done.err and done.err.count('\n') == 1
  assert not workdir.exists()
