"""Programs in processes of their own."""

import os
import signal

import jax
import pytest

from tests.benchmark import clock, remote


def _told(name, seconds):
  return clock.Program(name, lambda: seconds, remote=True)


def _process(folder):
  """Says on disk which process it runs in, and on what."""

  def run():
    (folder / 'where').write_text(f'{os.getpid()} {jax.default_backend()}')

  return clock.Program('process', run)


def _quitter():
  return clock.Program('quitter', lambda: os._exit(3))


def _fault():
  raise ValueError('no such network')


def test_a_program_is_timed_where_it_runs():
  program = remote.program(_told, 'a', 0.05)
  assert program.name == 'a'
  assert program.time() == 0.05  # not what asking for it took


def test_its_process_is_another_and_ends_with_it(tmp_path):
  program = remote.program(_process, tmp_path)
  program.run()
  process, platform = (tmp_path / 'where').read_text().split()
  assert int(process) != os.getpid() and platform == 'cpu'
  del program
  with pytest.raises(ProcessLookupError):
    os.kill(int(process), 0)


def _counter(folder):
  """Counts its runs in a file named after its process."""

  def run():
    path = folder / str(os.getpid())
    path.write_text(path.read_text() + '.' if path.exists() else '.')

  return clock.Program('counter', run)


def test_programs_that_run_alone_have_a_process_for_each_run(tmp_path):
  program = remote.program(_counter, tmp_path, alone=True)
  assert not list(tmp_path.iterdir())
  clock.interleave([program], 2)
  counts = {path.name: path.read_text() for path in tmp_path.iterdir()}
  assert list(counts.values()) == ['..'] * 2  # the first does not count
  for process in counts:
    with pytest.raises(ProcessLookupError):
      os.kill(int(process), 0)


@pytest.mark.parametrize('build', [_quitter, _fault])
def test_a_process_that_ends_is_no_time(build, capfd):
  with pytest.raises(RuntimeError, match='ended'):
    remote.program(build).run()
  capfd.readouterr()  # the traceback of its own


def test_a_process_that_ended_between_two_runs_is_no_time(tmp_path):
  program = remote.program(_process, tmp_path)
  program.run()
  process = int((tmp_path / 'where').read_text().split()[0])
  os.kill(process, signal.SIGKILL)
  for _ in range(2):
    with pytest.raises(RuntimeError, match='ended'):
      program.run()


def _note(folder):
  (folder / 'where').write_text(str(os.getpid()))
  return clock.Program('note', lambda: None)


def test_what_is_compiled_ahead_is_made_by_a_process_that_ends(tmp_path):
  remote.compile_ahead(_note, tmp_path)
  process = int((tmp_path / 'where').read_text())
  assert process != os.getpid()
  with pytest.raises(ProcessLookupError):
    os.kill(process, 0)
