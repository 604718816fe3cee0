"""launch.benchmark: a look at the tiny size, and what it refuses."""

import json

import pytest

from tests.benchmark import clock, suites
from tests.launch import commands

TINY = ('--size=tiny', '--noreference')


def _animate(size, options, progress):
  """In place of the suite, which compiles."""
  del options
  (timing,) = clock.interleave(
    [clock.Program('flaxheads', lambda: 0.5, remote=True)],
    size.repeats,
    progress,
  )
  return [suites.Row('a frame', 'flaxheads', timing, None, 1, 1.0)], {}


def test_suites_are_kept_and_added(tmp_path, monkeypatch):
  monkeypatch.setitem(suites.SUITES, 'animate', _animate)
  output = tmp_path / 'figures'
  first = commands.call(
    'benchmark', *TINY, '--suites=identity_table', f'--output={output}'
  )
  assert first.code == 0, first.err
  report = json.loads((output / 'report.json').read_text())
  assert list(report['suites']) == ['identity_table']
  rows = report['suites']['identity_table']['rows']
  assert [row['case'] for row in rows] == [
    'update of W, 1,000 videos',
    'update of W, 145,569 videos',
    'update of W, 1,000,000 videos',
  ]
  second = commands.call(
    'benchmark', *TINY, '--suites=animate', f'--output={output}'
  )
  assert second.code == 0, second.err
  report = json.loads((output / 'report.json').read_text())
  assert list(report['suites']) == ['animate', 'identity_table']
  assert report['suites']['identity_table']['rows'] == rows
  table = (output / 'table.md').read_text()
  assert table in second.out
  assert table.count('| flaxheads |') == 4


@pytest.mark.parametrize(
  'arguments, said',
  [
    (('--size=huge',), '--size'),
    (('--suites=animate,speed',), '--suites'),
    (('--repeats=0',), 'repeats'),
  ],
)
def test_what_is_refused(tmp_path, arguments, said):
  output = tmp_path / 'figures'
  done = commands.call('benchmark', *arguments, f'--output={output}')
  assert done.code == 2
  assert said in done.err and done.err.count('\n') == 1
  assert not output.exists()


@pytest.mark.parametrize(
  'name, said',
  [('report.json/figures', 'cannot be written'), ('report.json', 'a file')],
)
def test_an_output_that_can_be_no_folder_is_refused(tmp_path, name, said):
  (tmp_path / 'report.json').write_text('{}')
  done = commands.call('benchmark', *TINY, f'--output={tmp_path / name}')
  assert (done.code, done.err.count('\n')) == (2, 1)
  assert said in done.err
  assert (tmp_path / 'report.json').read_text() == '{}'


@pytest.mark.parametrize(
  'text', ['nonsense', '{"machine": "another", "size": "tiny", "suites": {}}']
)
def test_another_report_is_left_alone(tmp_path, text):
  path = tmp_path / 'report.json'
  path.write_text(text)
  done = commands.call('benchmark', *TINY, f'--output={tmp_path}')
  assert done.code == 2
  assert str(path) in done.err and done.err.count('\n') == 1
  assert path.read_text() == text
