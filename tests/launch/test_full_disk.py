"""Disks that are full or read-only: one line, and what was there stays.

A small disk of our own (tmpfs) takes root, as in most containers; without it
these tests are skipped, and `sudo make test`, or `unshare --user
--map-root-user --mount make test`, runs them. `make proof NAME=full_disk` does
the same for every command that writes.
"""

import contextlib
import os
import subprocess
import sys

import pytest
from safetensors.numpy import save_file

from flaxheads.data.output_files import atomic_paths, replace_all
from flaxheads.errors import UserError
from flaxheads.weights import convert
from tests.launch.commands import call, files_below
from tests.weights import published

SIZE = 32 << 20


class Disk:
  """A small disk at `path`."""

  def __init__(self, path):
    self.path = path

  def leave(self, count):
    """Fills all but `count` bytes."""
    free = os.statvfs(self.path)
    with open(self.path / 'ballast', 'wb') as file:
      os.posix_fallocate(
        file.fileno(), 0, free.f_bavail * free.f_frsize - count
      )

  @contextlib.contextmanager
  def read_only(self):
    assert not _mount(self.path, '--bind', str(self.path))
    assert not _mount(self.path, '-o', 'remount,bind,ro')
    yield
    subprocess.run(['umount', '-l', str(self.path)], check=True)


def _mount(path, *options):
  return subprocess.run(
    ['mount', *options, str(path)], capture_output=True, text=True
  ).stderr.strip()


@pytest.fixture
def disk(tmp_path):
  if not sys.platform.startswith('linux'):
    pytest.skip('tmpfs is for Linux')
  path = tmp_path / 'disk'
  path.mkdir()
  refusal = _mount(path, '-t', 'tmpfs', '-o', f'size={SIZE}', 'tmpfs')
  if refusal:
    pytest.skip(f'no disk can be mounted: {refusal}')
  try:
    yield Disk(path)
  finally:
    subprocess.run(['umount', '-l', str(path)], check=True)


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
  """Flags of launch.weights for files of noise."""
  folder = tmp_path_factory.mktemp('weights')
  heads = published.lpips_heads((64, 192, 384, 256, 256))
  given = ['--as=lpips_alex_torch']
  for name, shapes in (('a', published.alexnet_features()), ('b', heads)):
    path = folder / f'{name}.safetensors'
    save_file(published.draw(shapes), path)
    digest = convert.hash_file(str(path))
    given += [f'--convert={path}', f'--sha256={digest}']
  return given


COMMANDS = {
  'a person': (
    'finetune --model={good}/model --source={good}/picture.png --num_steps=1'
    ' --confirm_rights --output={out}'
  ),
  'a video': (
    'animate --person={good}/person --driver={good}/video.mp4'
    ' --output={out}/a.mp4'
  ),
  'a folder': (
    'animate --person={good}/person --driver={good}/video.mp4 --png_frames'
    ' --output={out}'
  ),
  'weights': 'weights --output={out}/a.safetensors',
}


@pytest.mark.parametrize('what', list(COMMANDS))
def test_a_command_that_cannot_write(what, disk, things, weights):
  out = disk.path / 'out'
  if what != 'a person':
    out.mkdir()
  line = COMMANDS[what].format(good=things.folder, out=out)
  name, *arguments = line.split() + (weights if what == 'weights' else [])
  done = call(name, *arguments)
  assert done.code == 0, done.err
  before = files_below(out)
  assert before

  def check(done, said):
    assert done.code in (1, 2)
    assert 'Traceback' not in done.err
    message = done.err.splitlines()[-1]
    assert message.startswith(f'{name}: ')
    assert said in message
    left = {path.name for path in disk.path.iterdir()} - {'ballast'}
    assert left == {'out'}
    assert files_below(out) == before

  written = sum(map(len, before.values()))
  for left in (0, written // 2):
    disk.leave(left)
    done = call(name, *arguments)
    (disk.path / 'ballast').unlink()
    check(done, 'No space left on device')
  with disk.read_only():
    done = call(name, *arguments)
  check(done, 'Read-only file system')


@pytest.mark.parametrize('failing', range(8))
def test_files_change_places_together_or_not_at_all(
  failing, tmp_path, monkeypatch
):
  """An interrupt before or after any of the moves."""
  (tmp_path / 'new').mkdir()
  (tmp_path / 'aside').mkdir()
  for name in 'abc':
    (tmp_path / 'new' / name).write_text(f'new {name}')
    if name != 'b':  # which was not there before
      (tmp_path / name).write_text(f'old {name}')
  before = files_below(tmp_path)
  moves = [(tmp_path / 'new' / name, tmp_path / name) for name in 'abc']
  rename, calls = type(tmp_path).rename, []

  def interrupted(path, target):
    calls.append(path)
    if len(calls) == failing // 2 + 1 and failing % 2:
      raise KeyboardInterrupt
    moved = rename(path, target)
    if len(calls) == failing // 2 + 1:
      raise KeyboardInterrupt
    return moved

  monkeypatch.setattr(type(tmp_path), 'rename', interrupted)
  with pytest.raises(KeyboardInterrupt):
    replace_all(moves, tmp_path / 'aside')
  monkeypatch.undo()
  assert files_below(tmp_path) == before
  replace_all(moves, tmp_path / 'aside')
  for name in 'abc':
    assert (tmp_path / name).read_text() == f'new {name}'


def test_files_appear_together(tmp_path):
  names = tmp_path / 'a.txt', tmp_path / 'a.txt.report'
  names[0].write_text('earlier')
  with pytest.raises(ZeroDivisionError):
    with atomic_paths(*names) as (first, _):
      first.write_text('new')
      raise ZeroDivisionError
  assert files_below(tmp_path) == {'a.txt': b'earlier'}
  with atomic_paths(*names) as new:
    assert [path.name for path in new] == [path.name for path in names]
    for path in new:
      path.write_text('new')
  assert files_below(tmp_path) == {'a.txt': b'new', 'a.txt.report': b'new'}
  with pytest.raises(UserError, match='cannot be written'):
    with atomic_paths(tmp_path / 'none' / 'a.txt'):
      pass
