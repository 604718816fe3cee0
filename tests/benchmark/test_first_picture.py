"""Processor time of commands: spans, sums, and the suite's rows."""

import json
import sys

import pytest

from tests.benchmark import first_picture, sizes, suites, watched
from tests.benchmark.first_picture import Part, Result
from tests.benchmark.watched import Span, Watched

_PROGRAM = """
import jax, jax.numpy as jnp
from launch import _logs
jax.jit(lambda x: jnp.sin(x) + 1)(jnp.ones(3)).block_until_ready()
for _ in _logs.progress_bar([1, 2], desc='clip', unit=' frames'):
  pass
"""


def test_a_process_tells_what_it_compiles(tmp_path, monkeypatch):
  (tmp_path / 'program.py').write_text(_PROGRAM)
  monkeypatch.setenv('PYTHONPATH', f'{tmp_path}:{":".join(sys.path)}')
  log = tmp_path / 'log'
  found = watched.finish(watched.start(log, 'program'), log)
  assert {span.part for span in found.spans} == {'trace', 'lower', 'compile'}
  assert '<lambda>' in found.by_program()
  assert all(0 <= span.began <= span.ended for span in found.spans)
  last = max(span.ended for span in found.spans)
  assert last <= found.first_frame <= found.cpu_seconds
  assert 0 < found.compilation() <= found.cpu_seconds


def test_a_process_that_fails_says_why(tmp_path):
  log = tmp_path / 'log'
  with pytest.raises(RuntimeError, match='launch.verify.*no such file'):
    watched.finish(watched.start(log, 'launch.verify', '/none.mp4'), log)


def test_nothing_counts_twice():
  spans = [
    Span('trace', 'step', 1.0, 4.0),
    Span('trace', 'inner', 2.0, 3.0),
    Span('compile', 'step', 5.0, 8.0),
    Span('compile', 'other', 7.0, 9.0),  # in another thread
  ]
  found = Watched(20.0, 8.5, spans)
  assert found.compilation() == 7.0
  assert found.compilation(until=8.5) == 6.5
  assert found.by_program() == {
    'step': {'trace': 3.0, 'lower': 0.0, 'compile': 3.0},
    'other': {'trace': 0.0, 'lower': 0.0, 'compile': 2.0},
  }


class _Stage:
  """One case, which takes ten seconds cold and four warm."""

  def __init__(self, steps):
    assert steps == 2

  def cases(self):
    def run(cache):
      warm = (cache / 'program').exists()
      (cache / 'program').touch()
      parts = [Part('whole', 4.0 if warm else 10.0, 0.5 if warm else 6.0)]
      return Result([*parts, Part('wall', 7.0, None)], {'step': {}})

    return {'animate': run}

  def close(self):
    pass


def test_rows_of_the_suite(monkeypatch):
  monkeypatch.setattr(first_picture, 'Stage', _Stage)
  rows, programs = suites.SUITES['first_picture'](sizes.find('tiny'), {}, iter)
  assert [
    (row.case, row.program, row.timing.median, row.ratio) for row in rows
  ] == [
    ('animate: whole', 'cold', 10.0, 1.0),
    ('animate: whole, compiling', 'cold', 6.0, 1.0),
    ('animate: wall', 'cold', 7.0, 1.0),
    ('animate: whole', 'warm', 4.0, 0.4),
    ('animate: whole, compiling', 'warm', 0.5, 0.5 / 6),
    ('animate: wall', 'warm', 7.0, 1.0),
  ]
  assert json.dumps(programs)
  assert set(programs) == {'animate, cold', 'animate, warm'}
