"""A full disk, a read-only folder and Ctrl-C spoil nothing, in any command.

Every command that writes has run once; then it runs again, and the disk is
full at the start, after half of what it writes, and just before the end; or
the folder is read-only; or somebody presses Ctrl-C at moments of the whole run.
It must end in one clear line, and what was there must be there still, byte for
byte, and nothing else. Commands that go on where they stopped must do so once
there is space.

The disk is a small tmpfs, which takes root, or the right to make user
namespaces; without either, run it in a container with SYS_ADMIN.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from absl import flags
from tqdm import tqdm

from flaxheads.errors import RunFailedError, UserError
from launch import _messages, app
from tests.reproduce import _commands as commands
from tests.reproduce import _digests
from tests.reproduce._inputs import TINY, make_inputs
from tests.reproduce._worker import Worker

_FOLDER = Path('out/reproduce/full_disk')
_DISK = _FOLDER / 'disk'
_OUT = _DISK / 'out'
_INPUTS, _SAVED = _FOLDER / 'inputs', _FOLDER / 'saved'
_SIZE = 512 << 20
_COMMANDS = (
  'prepare train export finetune animate evaluate render_heads weights'.split()
)
FLAGS = flags.FLAGS
flags.DEFINE_list('commands', _COMMANDS, 'Which to disturb.')
_WITHIN = 'FLAXHEADS_PROOF_WITHIN'  # a namespace of our own
_PARTS_WRITTEN = (0, 0.5, 0.95)  # of what a command writes, then it is full
_INTERRUPTS = (0.3, 0.6, 0.9)  # of what a command takes
_CODES = (app.FAILED, _messages.USAGE_ERROR)
_MAX_SECONDS, _MAX_BYTES = 1200, 64 << 30


class _Case(NamedTuple):
  """A command that writes below `_OUT`.

  Attributes:
    command: its words.
    first: what has run before, if not the same; '' where nothing has.
    same: files that are the same whatever happened in between; '' where the
      command makes all anew, and must leave what was there as it was.
  """

  command: str
  first: str | None = None
  same: str = ''

  @property
  def name(self) -> str:
    telling = ('--inspect', '--png_frames', '--dataset=')
    words = self.command.split()
    more = [word for word in words[1:] if word.startswith(telling)]
    return ' '.join(
      [words[0], *more, *(['(file)'] * words[-1].endswith('.mp4'))]
    )


def _words(command: str) -> list[str]:
  return command.format(out=_OUT, inputs=_INPUTS).split()


_TRAIN = (
  'train --config=configs/tiny.py --config.data.data_dir={inputs}/data'
  ' --workdir={out} --config.training.num_steps='
)
_EVALUATE = (
  'evaluate --model={inputs}/model --dataset=synthetic_heads'
  ' --data_dir={inputs}/data --num_shots=1 --num_test_frames=2'
  ' --inception=none --arcface=none --lpips=none --output={out} --methods='
)
_ANIMATE = (
  'animate --person={inputs}/person --driver={inputs}/heads/0001.mp4 --output='
)
_CASES = (
  _Case(
    f'prepare --dataset=synthetic_heads --data_dir={{out}} {TINY}',
    first='',
    same='**/*.array_record*',
  ),
  _Case(
    'prepare --dataset=video_folder --source={inputs}/heads --data_dir={out}'
    ' --num_workers=1',
    first='',
    same='**/*.array_record*',
  ),
  _Case(
    'prepare --inspect --dataset=synthetic_heads --data_dir={inputs}/data'
    ' --output={out}/page.png'
  ),
  _Case(f'{_TRAIN}6', first=f'{_TRAIN}3', same='checkpoints/6/facts/metadata'),
  _Case('export --workdir={inputs}/run --output={out}'),
  _Case(
    'finetune --model={inputs}/model --source={inputs}/heads/0000.mp4'
    ' --num_shots=2 --num_steps=2 --output={out}'
  ),
  _Case(f'{_ANIMATE}{{out}}/a.mp4'),
  _Case(f'{_ANIMATE}{{out}} --png_frames'),
  _Case(f'{_EVALUATE}nearest,ff', first=f'{_EVALUATE}ff', same='table.md'),
  _Case(
    'render_heads --num_identities=2 --num_frames=3 --image_size=64'
    ' --output={out}',
    first='',
    same='*.npz',
  ),
  _Case(
    'weights --convert={inputs}/backbone.safetensors'
    ' --convert={inputs}/heads.safetensors --as=lpips_alex'
    ' --sha256=BACKBONE --sha256=HEADS --output={out}/a.safetensors'
  ),
)


class _Disk:
  """A small disk of our own, which can be filled, and made read-only."""

  def __enter__(self):
    _DISK.mkdir(parents=True, exist_ok=True)
    self._mount('-t', 'tmpfs', '-o', f'size={_SIZE}', 'tmpfs')
    self._ballast = _DISK / 'ballast'
    return self

  def __exit__(self, *exception):
    subprocess.run(['umount', '-l', _DISK], check=True)

  def _mount(self, *options):
    subprocess.run(['mount', *options, _DISK], check=True)

  def _free(self) -> int:
    found = os.statvfs(_DISK)
    return found.f_bavail * found.f_frsize

  def leave(self, count: int) -> None:
    """Fills all but `count` bytes."""
    self.make_room()
    with open(self._ballast, 'wb') as file:
      os.posix_fallocate(file.fileno(), 0, max(1, self._free() - count))

  def make_room(self) -> None:
    self._ballast.unlink(missing_ok=True)

  @contextlib.contextmanager
  def read_only(self):
    """Nobody may write, not even root."""
    # A mount over the first one, in which files may still be open.
    self._mount('--bind', _DISK)
    self._mount('-o', 'remount,bind,ro')
    try:
      yield
    finally:
      subprocess.run(['umount', '-l', _DISK], check=True)


def _contents() -> dict[str, str]:
  """What lies on the disk: digests of files, '' for folders."""
  return {
    str(path.relative_to(_DISK)): hashlib.sha256(path.read_bytes()).hexdigest()
    if path.is_file()
    else ''
    for path in sorted(_DISK.rglob('*'))
    if path.name != 'ballast'
  }


def _size() -> int:
  return sum(p.stat().st_size for p in _OUT.rglob('*') if p.is_file())


def _digest(path: Path) -> str:
  if '.array_record' in path.name:
    return _digests.of_records(path)
  return hashlib.sha256(path.read_bytes()).hexdigest()


def _same_files(pattern: str) -> dict[str, str]:
  return {
    str(path.relative_to(_OUT)): _digest(path)
    for path in sorted(_OUT.glob(pattern))
  }


def _message(said: str) -> str:
  """The last line, without the progress bars before it."""
  lines = [
    line for line in said.replace('\r', '\n').splitlines() if line.strip()
  ]
  return lines[-1] if lines else ''


class _Trial:
  """One case: what was there before, and what happens to it."""

  def __init__(self, case: _Case, disk: _Disk, worker: Worker, saved: Path):
    self.case, self.disk, self.worker, self.saved = case, disk, worker, saved
    self.wrong, self.count = [], 0

  def _run(self, command, interrupt_after=None):
    return self.worker.call(_words(command), interrupt_after)

  def _well(self, command):
    ran = self._run(command)
    if ran.code:
      raise RunFailedError(f'{command}: {ran.code} {ran.said}')
    return ran

  def prepare(self) -> None:
    """Runs it undisturbed, and keeps what it needs and leaves."""
    case = self.case
    first = case.command if case.first is None else case.first
    _OUT.mkdir()
    if first:
      self._well(first)
    shutil.copytree(_OUT, self.saved, symlinks=True)
    before = _size()
    ran = self._well(case.command)
    self.seconds = ran.seconds
    self.needs = _size() - (before if case.first is not None else 0)
    self.result = _same_files(case.same) if case.same else {}

  def _reset(self) -> None:
    self.disk.make_room()
    shutil.rmtree(_OUT)
    shutil.copytree(self.saved, _OUT, symlinks=True)

  def disturbed(self, how, codes, interrupt_after=None, within=None) -> None:
    """Runs it once more, and notes what is not as it should be."""
    before = _contents()
    with within or contextlib.nullcontext():
      ran = self._run(self.case.command, interrupt_after)
      after = _contents()
    self.count += ran.code != 0
    said = _message(ran.said)
    name = self.case.command.split()[0]
    if ran.code == 0 and how == 'read-only':
      self.wrong.append(f'{how}: exit 0')
    elif ran.code and ran.code not in codes:
      self.wrong.append(f'{how}: exit {ran.code}: {ran.said[-1500:]}')
    elif ran.code and not said.startswith(f'{name}: '):
      self.wrong.append(f'{how}: says {said!r}')
    elif 'Traceback' in ran.said:
      self.wrong.append(f'{how}: {ran.said[-1500:]}')
    print(f'  {how}: exit {ran.code}: {said}', flush=True)
    if ran.code and not self.case.same and after != before:
      changed = {k for k in {*before, *after} if before.get(k) != after.get(k)}
      self.wrong.append(f'{how}: changed {sorted(changed)}')
    if ran.code and self.case.same:
      self.disk.make_room()
      again = self._run(self.case.command)
      if again.code or _same_files(self.case.same) != self.result:
        self.wrong.append(
          f'{how}: goes on with {again.code} {again.said[-1500:]}'
        )

  def run(self) -> None:
    """All that can happen."""
    for part in _PARTS_WRITTEN:
      self._reset()
      self.disk.leave(int(part * self.needs))
      self.disturbed(f'full after {part:.0%}', _CODES)
    self._reset()
    self.seconds = self._well(
      self.case.command
    ).seconds  # how long it takes once all is compiled
    self._reset()
    self.disturbed('read-only', _CODES, within=self.disk.read_only())
    for part in _INTERRUPTS:
      self._reset()
      codes = (app.INTERRUPTED,)
      self.disturbed(f'Ctrl-C at {part:.0%}', codes, part * self.seconds)
    self.disk.make_room()
    shutil.rmtree(_OUT)


def _with_hashes(case: _Case) -> _Case:
  command = case.command
  for name in ('backbone', 'heads'):
    path = _INPUTS / f'{name}.safetensors'
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    command = command.replace(f'={name.upper()}', f'={digest}')
  return case._replace(command=command)


def _in_a_namespace() -> None:
  """Starts again as the root of a namespace where disks can be mounted."""
  unshare = ['unshare', '--user', '--map-root-user', '--mount']
  if shutil.which('unshare') and not subprocess.call([*unshare, 'true']):
    os.environ[_WITHIN] = '1'
    os.execvp('unshare', [*unshare, sys.executable, '-m', *sys.orig_argv[2:]])
  raise UserError(
    'no disk can be mounted here: run it as root, or where user namespaces are'
    ' allowed (sysctl kernel.unprivileged_userns_clone=1)'
  )


def main():
  """Disturbs every command."""
  if os.geteuid() and _WITHIN not in os.environ:
    _in_a_namespace()
  subprocess.run(['umount', '-lq', _DISK], check=False)
  make_inputs(_INPUTS)
  shutil.rmtree(_SAVED, ignore_errors=True)
  checks = []
  with _Disk() as disk, Worker(_MAX_SECONDS, _MAX_BYTES) as worker:
    cases = [c for c in _CASES if c.command.split()[0] in FLAGS.commands]
    for number, case in enumerate(tqdm(cases, 'commands')):
      print(f'{case.name}', flush=True)
      trial = _Trial(_with_hashes(case), disk, worker, _SAVED / str(number))
      trial.prepare()
      trial.run()
      claim = f'{case.name}: {trial.count} times disturbed {trial.wrong}'
      checks.append((claim, not trial.wrong))
  commands.conclude(checks)


if __name__ == '__main__':
  app.run(main)
