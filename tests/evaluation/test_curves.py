"""Curves of fine-tuning: their means, and where the charts put them."""

import base64

import numpy as np

from flaxheads import pages
from flaxheads.baselines.nearest import nearest
from flaxheads.evaluation import curves, protocol, results, trials
from flaxheads.evaluation.protocol import Generated, Method
from tests.faces import make_person


def _row(person, t, kept, losses, num_validation=1, errors=None, method='ft'):
  errors = errors or [None] * len(losses)
  values = [
    {
      'step': 10 * i, 'loss': loss, 'landmark_error': error, 'no_face': None,
      'identity': None, 'score': loss / losses[0],
    }
    for i, (loss, error) in enumerate(zip(losses, errors, strict=True))
  ]  # fmt: skip
  curve = {
    'detector': 'd', 'identity': '<i>', 'weights': None,
    'num_validation_frames': num_validation, 'kept': kept, 'results': values,
  }  # fmt: skip
  return {
    'person': person, 'num_shots': t, 'method': method, 'driver': None,
    'curve': curve,
  }  # fmt: skip


ROWS = [
  _row('p', 8, 20, [4.0, 3.0, 2.0], errors=[0.1, None, 0.05]),
  {'person': 'p', 'num_shots': 8, 'method': 'ff', 'driver': None},
  _row('q', 8, 10, [2.0, 1.0], errors=[0.3, 0.2]),
  _row('p', 1, 10, [5.0, 6.0], num_validation=0),
]


def test_means_are_over_those_who_have_a_value():
  first, second = curves.gather(ROWS)
  assert (first['num_shots'], second['num_shots']) == (1, 8)
  assert (
    second['kept'] == {'p': 20, 'q': 10}
    and second['num_validation_frames'] == 1
  )
  assert (second['detector'], second['identity']) == ('d', '<i>')
  values = second['results']
  assert [result['step'] for result in values] == [0, 10, 20]
  assert [result['num_people'] for result in values] == [2, 2, 1]
  assert [result['loss'] for result in values] == [3.0, 2.0, 2.0]
  found = [result['landmark_error'] for result in values]
  np.testing.assert_allclose(found, [0.2, 0.2, 0.05])
  assert [result['identity'] for result in values] == [None] * 3
  np.testing.assert_allclose(
    [result['score'] for result in values], [1, (0.75 + 0.5) / 2, 0.5]
  )


def test_nobody_fine_tuned_has_no_charts():
  assert curves.gather(ROWS[1:2]) == [] and curves.make_charts(ROWS[1:2]) == []


def test_each_t_has_its_chart_with_what_was_measured():
  one, eight = curves.make_charts(ROWS)
  titles = [
    [ax.get_title(loc='left') for ax in chart.figure.axes]
    for chart in (one, eight)
  ]
  assert titles == [
    ['stopping criterion', 'content loss'],
    ['stopping criterion', 'content loss', 'landmark error %'],
  ]  # of the identity there is none
  assert one.caption.startswith(
    'T = 1, no validation frames; steps kept: 10 to 10'
  )
  said = (
    'T = 8, 1 validation frames; steps kept: 10 to 20, median 15, of 2 people.'
  )
  assert eight.caption == said
  assert curves.explain(curves.gather(ROWS)) == [curves.MEANING, curves.ALONE]
  assert curves.explain(curves.gather(ROWS[:3])) == [curves.MEANING]


def test_lines_and_dots_lie_where_the_numbers_are():
  _, eight = curves.make_charts(ROWS)
  _, loss, error = eight.figure.axes
  p, q, mean, *dots = [line.get_xydata().tolist() for line in loss.lines]
  assert p == [[0, 4], [10, 3], [20, 2]] and q == [[0, 2], [10, 1]]
  assert mean == [[0, 3], [10, 2], [20, 2]]
  assert dots == [[p[2]], [q[1]]]
  # Nobody saw a face at p's second result.
  np.testing.assert_allclose(
    error.lines[0].get_xydata(), [[0, 10], [20, 5]], rtol=1e-6
  )


def test_names_are_text():
  rows = [_row('p', 2, 0, [1.0, 2.0])]
  rows[0]['curve']['identity'] = 'a $b$ <i>'
  for result in rows[0]['curve']['results']:
    result['identity'] = 0.5
  (chart,) = curves.make_charts(rows)
  uri = pages.figure_uri(chart.figure)
  svg = base64.b64decode(uri.removeprefix('data:image/svg+xml;base64,'))
  assert b'a $b$ &lt;i&gt;' in svg and b'<i>' not in svg
  assert uri == pages.figure_uri(chart.figure)  # nothing of the time


def test_a_curve_stays_with_its_result(tmp_path):
  people = [make_person(f'p{i}', seed=i) for i in range(2)]
  everybody = trials.make_trials(people, (1,), 'halves', 5)
  curve, calls = {'kept': 10, 'results': []}, []

  def render(*given):
    calls.append(given)
    return Generated(nearest(*given), curve)

  methods = [Method('curved', render), Method('nearest', nearest)]
  for _ in range(2):  # the second time from the store
    rows = protocol.evaluate(
      everybody, methods, (1,), results.Store(tmp_path), cross=True
    )
    curved, plain = (
      [row for row in rows if row['method'] == name]
      for name in ('curved', 'nearest')
    )
    assert len(curved) == 4 and all(row['curve'] == curve for row in curved)
    assert not any('curve' in row for row in plain)
    for one, other in zip(curved, plain, strict=True):
      assert one['flicker'] == other['flicker']
  assert len(calls) == 2


def test_other_settings_of_one_method_leave_the_rest_alone(tmp_path):
  everybody = trials.make_trials([make_person('p')], (1, 4), 'halves', 5)
  calls = []

  def counted(name):
    return lambda *given: calls.append(name) or nearest(*given)

  for rate in (1, 2):
    methods = [
      Method('nearest', counted('nearest')),
      Method('ft', counted('ft'), {'finetune': {'rate': rate}}),
    ]
    protocol.evaluate(everybody, methods, (1, 4), results.Store(tmp_path))
  assert (calls.count('nearest'), calls.count('ft')) == (2, 4)
