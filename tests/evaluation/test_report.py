"""The table to the letter, the report's contents, the comparison's layout."""

import json

import numpy as np
import pytest
from PIL import Image

from flaxheads.evaluation import protocol, report
from flaxheads.evaluation.baselines.nearest import nearest
from flaxheads.evaluation.baselines.warp import warp
from flaxheads.evaluation.protocol import Method
from tests.evaluation.faces import make_person

GOLDEN = """\
| method | T=1 PSNR dB ↑ | T=1 SSIM ↑ | T=1 face PSNR dB ↑ | T=1 NME % ↓ \
| T=1 no face % ↓ | T=8 PSNR dB ↑ | T=8 SSIM ↑ | T=8 face PSNR dB ↑ \
| T=8 NME % ↓ | T=8 no face % ↓ |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| warp | 20.50 [20.00, 21.00] | 0.750 [0.700, 0.800] | 22.50 [22.00, 23.00] \
| 5.00 [4.00, 6.00] | 0.0 [0.0, 0.0] | 30.00 | 0.900 | 32.00 | – | 100.0 |
| ft | – | – | – | – | – | 31.00 | 0.910 | 33.00 | 2.00 | 12.5 |

The detector on the real frames, a floor for every method: NME 1.50 %, \
no face 0.0 %.
"""


def _row(person, num_shots, method, values):
  return {
    'person': person,
    'num_shots': num_shots,
    'method': method,
    **dict(zip(report.METRICS, values, strict=True)),
  }


def test_table_is_as_agreed():
  rows = [
    _row('a', 0, 'real', (100, 1, 100, 0.015, 0)),
    _row('a', 1, 'warp', (20, 0.7, 22, 0.04, 0)),
    _row('b', 1, 'warp', (21, 0.8, 23, 0.06, 0)),
    _row('a', 8, 'warp', (30, 0.9, 32, None, 1)),
    _row('a', 8, 'ft', (31, 0.91, 33, 0.02, 0.125)),
  ]
  assert report.make_table(report.summarise(rows)) == GOLDEN


def test_table_without_a_detector_has_no_empty_columns():
  rows = [_row('a', 1, 'warp', (20, 0.7, 22, None, None))]
  table = report.make_table(report.summarise(rows))
  assert table.splitlines()[0] == (
    '| method | T=1 PSNR dB ↑ | T=1 SSIM ↑ | T=1 face PSNR dB ↑ |'
  )


def test_summary_is_over_people():
  rows = [
    _row(name, 1, 'ft', (psnr, 0.5, 20, None, 1))
    for name, psnr in zip('abcd', (10, 20, 30, 40), strict=True)
  ]
  (entry,) = report.summarise(rows)
  assert entry['psnr']['mean'] == 25
  assert 10 <= entry['psnr']['low'] < 25 < entry['psnr']['high'] <= 40
  assert entry['psnr']['count'] == 4
  assert entry['nme'] == {'mean': None, 'low': None, 'high': None, 'count': 0}


def test_methods_are_compared_on_the_same_draws_of_people():
  # A method that is always 1 dB better has an interval shifted by 1 dB.
  rows = []
  for name, psnr in zip('abcde', (11, 25, 23, 36, 9), strict=True):
    rows.append(_row(name, 1, 'a', (psnr, 0, 0, None, None)))
    rows.append(_row(name, 1, 'b', (psnr + 1, 0, 0, None, None)))
  a, b = (entry['psnr'] for entry in report.summarise(rows))
  for end in ('low', 'mean', 'high'):
    np.testing.assert_allclose(b[end], a[end] + 1)


@pytest.fixture(scope='module')
def evaluated(tmp_path_factory):
  output = tmp_path_factory.mktemp('evaluated')
  people = [make_person(f'p{i}', seed=i) for i in range(2)]
  trials = protocol.make_trials(people, (1, 4), 'halves', 5)
  methods = [Method('nearest', nearest), Method('warp', warp)]
  rows = protocol.evaluate(trials, methods, (1, 4), output)
  dropped = [{'source': 'x.mp4', 'reason': 'x.mp4: no face'}]
  settings = {'seed': 3, 'split_clip': 'halves'}
  made = report.write_report(output, trials, rows, settings, dropped)
  return output, trials, rows, made


def test_report_holds_everything(evaluated):
  output, _, rows, made = evaluated
  read = json.loads((output / 'report.json').read_text())
  assert read == made
  assert read['rows'] == rows and len(rows) == 8
  assert read['num_people'] == 2
  assert [person['name'] for person in read['people']] == ['p0', 'p1']
  assert read['settings'] == {'seed': 3, 'split_clip': 'halves'}
  assert read['dropped'][0]['source'] == 'x.mp4'
  entry = next(
    e for e in read['summary']
    if (e['num_shots'], e['method']) == (4, 'warp')
  )  # fmt: skip
  expected = np.mean(
    [r['psnr'] for r in rows if r['num_shots'] == 4 and r['method'] == 'warp']
  )
  np.testing.assert_allclose(entry['psnr']['mean'], expected)
  table = (output / 'table.md').read_text()
  assert table.startswith(report.make_table(read['summary']))
  assert '2 people. Means over people' in table


def test_nothing_temporary_is_left(evaluated):
  names = sorted(path.name for path in evaluated[0].iterdir())
  assert names == [
    'comparison.png', 'frames', 'report.json', 'results.jsonl', 'table.md',
  ]  # fmt: skip


def test_comparison_has_a_row_for_each_person_and_number_of_shots(evaluated):
  output, trials, _, _ = evaluated
  sheet = np.asarray(Image.open(output / 'comparison.png'))
  size, gap = 32, 4
  # From the lower right, where no label is: warp, nearest, real, support.
  trial = trials[-1]
  support, test = trial.support[4], trial.test[len(trial.test) // 2]
  faces = trial.frames[support], trial.points[support]
  driver = trial.points[test][None]
  expected = [
    warp(*faces, driver)[0],
    nearest(*faces, driver)[0],
    trial.frames[test],
    trial.frames[support[2]],
  ]
  bottom, right = sheet.shape[0] - gap, sheet.shape[1] - gap
  for picture in expected:
    tile = sheet[bottom - size : bottom, right - size : right]
    np.testing.assert_array_equal(tile, picture)
    right -= size + gap
  assert sheet.shape[0] == 18 + gap + 4 * (size + gap)  # 2 people, 2 T


def test_comparison_lets_places_empty_where_a_picture_is_missing(evaluated):
  output, trials, rows, _ = evaluated
  without = [
    row for row in rows if (row['person'], row['method']) != ('p0', 'warp')
  ]
  sheet = report.make_comparison(trials, without, output)
  full = report.make_comparison(trials, rows, output)
  assert sheet.shape == full.shape
  assert (sheet != full).any()
