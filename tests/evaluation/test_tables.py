"""The tables to the letter: the paper's layout, marks, and nothing empty."""

import pytest

from flaxheads.evaluation import summary, tables

GOLDEN = """\
### Self-reenactment

| Method (T) | FID ↓ | SSIM ↑ |
| --- | ---: | ---: |
| Landmark warp (1) | – | 0.750 [0.700, 0.800] |
| Landmark warp (8) | 45.3\\* | 0.900 |
| Ours-FT (8) | 30.0 | 0.910 |

- FID: {fid}.
- SSIM: structural similarity with the true frame.
"""
FURTHER = """\
### Self-reenactment, further metrics

| Method (T) | NME % ↓ | no face % ↓ |
| --- | ---: | ---: |
| Landmark warp (1) | 5.00 [4.00, 6.00] | 0.0 [0.0, 0.0] |
| Landmark warp (8) | – | 100.0 |
| Ours-FT (8) | 2.00 | 12.5 |
| Real frames | 1.50 | 0.0 |

- NME %: {nme}.
- no face %: {failure_rate}.
"""


def _row(person, num_shots, method, **values):
  return {
    'person': person,
    'driver': None,
    'num_shots': num_shots,
    'method': method,
    **values,
  }


def _summary():
  rows = [
    _row('a', 0, 'real', ssim=1, nme=0.015, failure_rate=0),
    _row('a', 8, 'warp', ssim=0.9, nme=None, failure_rate=1),
    _row('a', 8, 'ft', ssim=0.91, nme=0.02, failure_rate=0.125),
    _row('a', 1, 'warp', ssim=0.7, nme=0.04, failure_rate=0),
    _row('b', 1, 'warp', ssim=0.8, nme=0.06, failure_rate=0),
  ]
  made = summary.summarise(rows)
  for entry, value in zip(made[1:3], (45.25001, 30.0), strict=True):
    entry['fid'] = {
      'mean': value, 'low': None, 'high': None, 'count': 1,
      'small_sample': entry['method'] == 'warp',
    }  # fmt: skip
  return made


def test_tables_are_as_agreed():
  first, further = tables.make_tables(_summary())
  assert first.to_markdown() == GOLDEN.format(**tables.MEANINGS)
  assert further.to_markdown() == FURTHER.format(**tables.MEANINGS)


def test_all_of_the_papers_columns_come_first():
  values = dict.fromkeys(summary.METRICS, 0.5)
  first, further = tables.make_tables(
    summary.summarise([_row('a', 1, 'another', **values)])
  )
  assert first.header == [
    'Method (T)', 'FID ↓', 'SSIM ↑', 'CSIM ↑', 'CSIM (SFace) ↑', 'USER ↓'
  ]  # fmt: skip
  assert len(further.header) == 1 + len(summary.METRICS) - 5
  assert first.body[0][0] == 'another (1)'  # a method of any name
  assert set(tables.MEANINGS) == set(summary.METRICS)


@pytest.mark.parametrize('mark', ['random weights', 'unverified weights'])
def test_untrusted_weights_are_marked_wherever_their_number_is_named(mark):
  suffix = mark.replace(' ', '_')
  names = ('fid', 'kid', 'csim', 'csim_sface', 'lpips')
  rows = [_row('a', 1, 'ff', **{f'{n}_{suffix}': 0.5 for n in names})]
  made = summary.summarise(rows)
  assert not set(names) & set(made[0])
  for table in tables.make_tables(made, made):
    text = table.to_markdown()
    for label in ('FID', 'KID ×10³', 'CSIM (SFace)', 'LPIPS'):
      assert text.count(label) == text.count(f'{label} ({mark})')
    assert f'({mark})' in text
  assert summary.find_metric(f'csim_{suffix}').label == f'CSIM ({mark})'
  found = summary.find_metric(f'csim_sface_{suffix}').label
  assert found == f'CSIM (SFace) ({mark})'
  with pytest.raises(KeyError):
    summary.find_metric('seconds')


def test_cross_has_its_own_table_and_says_what_csim_is():
  rows = [_row('a', 1, 'ff', csim=0.5, nme=0.1)]
  made = tables.make_tables(summary.summarise(rows), summary.summarise(rows))
  assert [table.title for table in made] == [
    'Self-reenactment', 'Self-reenactment, further metrics',
    'Cross-reenactment',
  ]  # fmt: skip
  assert 'with the true frame' in made[0].notes[0]
  assert 'each of the T support frames' in made[2].notes[0]
  assert len(made[2].notes) == 1  # NME was explained above


def test_a_name_cannot_break_the_table():
  rows = [_row('a', 1, 'a|b*', ssim=0.5)]
  text = tables.make_tables(summary.summarise(rows))[0].to_markdown()
  assert '| a\\|b\\* (1) | 0.500 |' in text
