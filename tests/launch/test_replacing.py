"""What an earlier call made is replaced, and a line says so beforehand."""

from tests.launch.commands import call

SAID = 'exists from an earlier call, and will be replaced'


def _twice(name, output, *arguments):
  """Runs a command twice, with another result the second time."""
  for number in range(2):
    done = call(name, *arguments[number], f'--output={output}')
    assert done.code == 0, done.err
    assert (SAID in done.err) == bool(number)
    assert (str(output) in done.err) == bool(number)


def test_a_video(things, tmp_path):
  output = tmp_path / 'me.mp4'
  same = (f'--person={things.person}', f'--driver={things.video}')
  _twice('animate', output, same, (*same, '--max_frames=2'))
  assert len(list(tmp_path.iterdir())) == 2  # and its report


def test_a_folder_of_videos(things, tmp_path):
  output = tmp_path / 'me'
  output.mkdir()  # empty: nothing is replaced the first time
  same = (f'--person={things.person}', f'--driver={things.video}')
  _twice('animate', output, same, same)


def test_a_person(things, tmp_path):
  same = (
    f'--model={things.model}',
    f'--source={things.picture}',
    '--confirm_rights',
    '--num_steps=1',
  )
  _twice('finetune', tmp_path / 'me', same, same)


def test_a_video_that_is_not_ours_stays(things, tmp_path):
  output = tmp_path / 'holiday.mp4'
  output.write_bytes(b'of mine')
  done = call(
    'animate',
    f'--person={things.person}',
    f'--driver={things.video}',
    f'--output={output}',
  )
  assert done.code == 2
  assert 'holiday.mp4: exists, and no earlier call made it' in done.err
  assert output.read_bytes() == b'of mine'
