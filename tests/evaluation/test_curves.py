"""Curves of fine-tuning: their means, and where the charts put them."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from flaxheads.baselines.nearest import nearest
from flaxheads.evaluation import curves, protocol, results, trials
from flaxheads.evaluation.protocol import Drawn, Method
from tests.faces import make_person


def _row(person, t, kept, losses, held_out=1, errors=None, method='ft'):
  errors = errors or [None] * len(losses)
  looks = [
    {
      'step': 10 * i, 'loss': loss, 'landmark_error': error, 'no_face': None,
      'identity': None, 'score': loss / losses[0],
    }
    for i, (loss, error) in enumerate(zip(losses, errors, strict=True))
  ]  # fmt: skip
  curve = {
    'detector': 'd', 'identity': '<i>', 'weights': None,
    'num_validation_frames': held_out, 'kept': kept, 'results': looks,
  }  # fmt: skip
  return {
    'person': person, 'num_shots': t, 'method': method, 'driver': None,
    'curve': curve,
  }  # fmt: skip


ROWS = [
  _row('p', 8, 20, [4.0, 3.0, 2.0], errors=[0.1, None, 0.05]),
  {'person': 'p', 'num_shots': 8, 'method': 'ff', 'driver': None},
  _row('q', 8, 10, [2.0, 1.0], errors=[0.3, 0.2]),
  _row('p', 1, 10, [5.0, 6.0], held_out=0),
]


def test_means_are_over_those_who_have_a_value():
  first, second = curves.gather(ROWS)
  assert (first['num_shots'], second['num_shots']) == (1, 8)
  assert (
    second['kept'] == {'p': 20, 'q': 10}
    and second['num_validation_frames'] == 1
  )
  assert (second['detector'], second['identity']) == ('d', '<i>')
  looks = second['looks']
  assert [look['step'] for look in looks] == [0, 10, 20]
  assert [look['num_people'] for look in looks] == [2, 2, 1]
  assert [look['loss'] for look in looks] == [3.0, 2.0, 2.0]
  found = [look['landmark_error'] for look in looks]
  np.testing.assert_allclose(found, [0.2, 0.2, 0.05])
  assert [look['identity'] for look in looks] == [None] * 3
  np.testing.assert_allclose(
    [look['score'] for look in looks], [1, (0.75 + 0.5) / 2, 0.5]
  )


def test_nobody_fine_tuned_has_no_section():
  assert curves.gather(ROWS[1:2]) == [] and curves.make_charts(ROWS[1:2]) == ''


@pytest.fixture(scope='module')
def drawings():
  text = curves.make_charts(ROWS)
  assert 'src=' not in text and 'href=' not in text and '<script' not in text
  found = re.findall('<svg.*?</svg>', text, re.DOTALL)
  return text, [ElementTree.fromstring(drawing) for drawing in found]


def test_each_t_has_its_drawing_with_what_was_measured(drawings):
  text, (one, eight) = drawings
  titles = [
    [node.text for node in drawing.iter('text')] for drawing in (one, eight)
  ]
  assert 'landmark error %' not in titles[0]
  assert 'landmark error %' in titles[1]
  assert not any('<i>' in words for words in titles)  # of which there is none
  assert 'T = 1, nothing held out; steps kept: 10 to 10' in text
  assert 'T = 8, 1 held out; steps kept: 10 to 20, median 15, of 2' in text
  assert curves.ALONE in text


def _places(node):
  return [
    tuple(map(float, pair.split(','))) for pair in node.get('points').split()
  ]


def test_lines_and_dots_lie_where_the_numbers_are(drawings):
  _, (_, eight) = drawings
  lines, dots = list(eight.iter('polyline')), list(eight.iter('circle'))
  # Three panels, each with two people and a mean; what decides is the first.
  assert len(lines) == 9 and len(dots) == 6
  of_p, of_q, mean = map(_places, lines[3:6])  # the content loss
  assert [len(of_p), len(of_q), len(mean)] == [3, 2, 3]
  xs = [x for x, _ in of_p]
  np.testing.assert_allclose(np.diff(xs), [np.diff(xs)[0]] * 2, atol=0.11)
  ys = {4.0: of_p[0][1], 3.0: of_p[1][1], 2.0: of_p[2][1], 1.0: of_q[1][1]}
  # Downwards, and evenly, as the loss falls.
  steps = np.diff([ys[value] for value in (4.0, 3.0, 2.0, 1.0)])
  assert steps.min() > 20
  np.testing.assert_allclose(steps, steps[0], atol=0.11)
  np.testing.assert_allclose([y for _, y in mean], [ys[3], ys[2], ys[2]])
  kept = [(float(dot.get('cx')), float(dot.get('cy'))) for dot in dots[2:4]]
  assert kept == [of_p[2], of_q[1]]
  # Nobody saw a face at p's second look.
  assert len(_places(lines[6])) == 2


def test_names_are_text():
  rows = [_row('p', 2, 0, [1.0, 2.0])]
  for look in rows[0]['curve']['results']:
    look['identity'] = 0.5
  text = curves.make_charts(rows)
  assert '&lt;i&gt;' in text and '<i>' not in text


def test_a_curve_stays_with_its_result(tmp_path):
  people = [make_person(f'p{i}', seed=i) for i in range(2)]
  everybody = trials.make_trials(people, (1,), 'halves', 5)
  curve, calls = {'kept': 10, 'looks': []}, []

  def render(*given):
    calls.append(given)
    return Drawn(nearest(*given), curve)

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
