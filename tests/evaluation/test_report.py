"""What a report holds, the figures' layout, and a page that needs no other."""

import base64
import json
import re

import numpy as np
import pytest
from PIL import Image

from flaxheads.baselines.nearest import nearest
from flaxheads.evaluation import protocol, report, results, trials
from flaxheads.evaluation.protocol import Method
from tests.evaluation import stubs
from tests.faces import make_person

SIDE = 128  # 32 pixels, shown four times as large
GAP = 4


@pytest.fixture(scope='module')
def evaluated(tmp_path_factory):
  output = tmp_path_factory.mktemp('evaluated')
  people = [make_person(f'p{i}', seed=i) for i in range(2)]
  everybody = trials.make_trials(people, (1, 4), 'halves', 5)
  methods = [Method('nearest', nearest), Method('warp', stubs.darken)]
  store = results.Store(output)
  rows = protocol.evaluate(everybody, methods, (1, 4), store, cross=True)
  made = report.write_report(
    output,
    everybody,
    rows,
    store,
    {'seed': 3, 'split_clip': 'halves', 'model': '<script>alert(1)</script>'},
    report.Remarks(['net: random <weights>'], ['No CSIM: none.']),
    [{'source': 'x.mp4', 'reason': '<b>x.mp4</b>: no face'}],
  )
  return output, everybody, rows, made, store


def test_report_holds_everything(evaluated):
  output, _, rows, made, _ = evaluated
  read = json.loads((output / 'report.json').read_text())
  assert read == made
  assert len(rows) == 2 * (1 + 2 * 2 * 2)
  assert read['rows'] == [r for r in rows if r['driver'] is None]
  assert read['cross_rows'] == [r for r in rows if r['driver'] is not None]
  assert read['num_people'] == 2
  assert [person['name'] for person in read['people']] == ['p0', 'p1']
  assert read['settings']['seed'] == 3
  assert read['dropped'][0]['source'] == 'x.mp4'
  assert read['warnings'] == ['net: random <weights>']
  for rows_of, summary in (
    ('rows', 'summary'),
    ('cross_rows', 'cross_summary'),
  ):
    entry = next(
      e for e in read[summary] if (e['num_shots'], e['method']) == (4, 'warp')
    )
    values = [
      r['flicker']
      for r in read[rows_of]
      if (r['num_shots'], r['method']) == (4, 'warp')
    ]
    np.testing.assert_allclose(entry['flicker']['mean'], np.mean(values))
  assert 'psnr' not in read['cross_summary'][0]
  table = (output / 'table.md').read_text()
  assert table.startswith('> **Warning.** net: random <weights>\n')
  assert '2 people. Means over people' in table
  assert 'No CSIM: none.' in table
  assert '### Cross-reenactment' in table and 'Real frames' in table


def test_nothing_temporary_is_left(evaluated):
  names = sorted(path.name for path in evaluated[0].iterdir())
  assert names == [
    'arrays', 'comparison.png', 'comparison_cross.png', 'report.html',
    'report.json', 'results.jsonl', 'table.md',
  ]  # fmt: skip


def _tiles(sheet, count):
  """The last `count` images of the last row, from the right."""
  bottom, right = sheet.shape[0] - GAP, sheet.shape[1] - GAP
  for _ in range(count):
    tile = sheet[bottom - SIDE : bottom, right - SIDE : right]
    yield tile[::4, ::4]
    right -= SIDE + GAP


@pytest.mark.parametrize('cross', [False, True])
def test_figure_is_the_papers(evaluated, cross):
  output, everybody, *_ = evaluated
  name = report.CROSS_COMPARISON if cross else report.COMPARISON
  sheet = np.asarray(Image.open(output / name))
  # T after T, people within: the last row is the last person at T = 4.
  trial = everybody[-1]
  driver = everybody[0] if cross else trial
  support, test = trial.support[4], driver.test[2]
  faces = trial.frames[support], trial.points[support]
  drivers = protocol.Drivers(driver.points[test][None])
  expected = [
    stubs.darken(*faces, drivers)[0],
    nearest(*faces, drivers)[0],
    driver.frames[test],
    trial.frames[support[2]],
  ]
  for tile, picture in zip(_tiles(sheet, 4), expected, strict=True):
    np.testing.assert_array_equal(tile, picture)
  assert sheet.shape[0] == 18 + GAP + 4 * (SIDE + GAP)  # 2 people, 2 T


def test_any_list_of_methods_has_its_columns(tmp_path):
  everybody = trials.make_trials([make_person('p')], (1,), 'halves', 5)
  store = results.Store(tmp_path)
  methods = [Method(f'method {i}', nearest) for i in range(7)]
  rows = protocol.evaluate(everybody, methods, (1,), store)
  sheet = report.make_comparison(everybody, rows, store)
  assert sheet.shape[1] >= 9 * (SIDE + GAP)
  assert sheet.shape[0] == 18 + GAP + SIDE + GAP


def test_comparison_leaves_places_empty_where_an_image_is_missing(evaluated):
  _, everybody, rows, _, store = evaluated
  without = [
    row for row in rows if (row['person'], row['method']) != ('p0', 'warp')
  ]
  sheet = report.make_comparison(everybody, without, store)
  full = report.make_comparison(everybody, rows, store)
  assert sheet.shape == full.shape
  assert (sheet != full).any()


def test_page_loads_nothing_and_runs_nothing(evaluated):
  output, *_ = evaluated
  text = (output / 'report.html').read_text()
  assert '<script' not in text and '&lt;script&gt;alert(1)' in text
  assert '&lt;b&gt;x.mp4' in text and 'random &lt;weights&gt;' in text
  links = re.findall(r'(?:src|href)="([^"]*)"', text)
  assert len(links) == 2
  for link, name in zip(
    links, ('comparison.png', 'comparison_cross.png'), strict=True
  ):
    encoded = link.removeprefix('data:image/png;base64,')
    assert base64.b64decode(encoded) == (output / name).read_bytes()
  assert "default-src 'none'" in text
  cells = re.findall(r'<td>(.*?)</td>', text)
  assert 'Landmark warp (4)' in cells and 'Real frames' in cells
