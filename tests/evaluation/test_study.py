"""The user study: fair questions, images that tell nothing, right counts."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from flaxheads.baselines.nearest import nearest
from flaxheads.errors import UserError
from flaxheads.evaluation import protocol, results, study, study_page, trials
from flaxheads.evaluation.protocol import Method
from tests.evaluation import stubs
from tests.faces import make_person


@pytest.fixture(scope='module')
def evaluated(tmp_path_factory):
  """Four people, T = 1 and 4, two methods."""
  people = [make_person(f'p{i}', seed=i, num_frames=24) for i in range(4)]
  people.append(make_person('short', seed=9, num_frames=16))
  everybody = trials.make_trials(people, (1, 4), 'halves', 12)
  store = results.Store(tmp_path_factory.mktemp('study'))
  methods = [Method('nearest', nearest), Method('warp', stubs.darken)]
  rows = protocol.evaluate(everybody, methods, (1, 4), store, cross=True)
  return everybody, rows, store


@pytest.fixture(scope='module')
def rounds(evaluated):
  everybody, rows, _ = evaluated
  return study.make_triplets(rows, everybody)


def test_questions_are_fair(rounds, evaluated):
  everybody, rows, _ = evaluated
  assert len(rounds) == 12  # of 4 groups and 3 kept frames
  questions = sum(rounds, [])
  assert len({t.id for t in questions}) == len(questions) == 48
  names = {f'p{i}' for i in range(4)}  # one person has 8 test frames
  for asked in rounds:
    assert {t.row['person'] for t in asked} == names
    assert len({t.group for t in asked}) == 4
  by_name = {trial.name: trial for trial in everybody}
  for triplet in questions:
    trial = by_name[triplet.row['person']]
    assert not set(triplet.real) & set(protocol.kept_frames(trial))
    assert len(set(triplet.real)) == 2
    assert triplet.row['driver'] is None and triplet.row['method'] != 'real'
  # In the first rounds no real image comes twice.
  shown = [(t.row['person'], i) for r in rounds[:3] for t in r for i in t.real]
  assert len(set(shown)) == len(shown)
  places = np.bincount([t.place for t in questions], minlength=3)
  assert places.min() >= 8


def test_questions_stay_the_same_when_more_are_asked(rounds, evaluated):
  everybody, rows, _ = evaluated
  assert study.make_triplets(rows, everybody) == rounds
  few = study.choose(rounds, 6)
  assert [len(asked) for asked in few] == [4, 2]
  assert few[0] == rounds[0] and few[1] == rounds[1][:2]
  assert study.choose(rounds, 0) == []
  assert study.identify(few) != study.identify(rounds)


def test_nobody_is_asked_where_frames_are_too_few():
  everybody = trials.make_trials([make_person('p')], (1,), 'halves', 8)
  row = {'person': 'p', 'driver': None, 'num_shots': 1, 'method': 'ff'}
  row['fingerprint'] = 'x'
  assert study.make_triplets([row], everybody) == []
  assert study.make_triplets([], everybody) == []


def test_the_made_image_stands_in_its_place(rounds, evaluated):
  everybody, _, store = evaluated
  by_name = {trial.name: trial for trial in everybody}
  for triplet in sum(rounds[:3], []):
    trial = by_name[triplet.row['person']]
    drawn = store.arrays(triplet.row)['frames']
    image = study.make_image(triplet, trial, drawn)
    parts = [image[:, x : x + 32] for x in (0, 34, 68)]
    assert image.shape == (32, 100, 3)
    made = parts.pop(triplet.place)
    np.testing.assert_array_equal(made, drawn[triplet.kept])
    test = trial.frames[trial.test]
    for part, i in zip(parts, triplet.real, strict=True):
      np.testing.assert_array_equal(part, test[i])


def _content(path):
  text = path.read_text()
  data = re.search(r'application/json">(.*?)</script>', text, re.DOTALL)
  return text, json.loads(data[1])


def test_page_holds_the_questions_and_needs_nothing_else(
  rounds, evaluated, tmp_path
):
  everybody, _, store = evaluated
  sealed = []
  path = tmp_path / 'study.html'
  chosen = study.choose(rounds, 6)
  study_page.write_study(
    path, chosen, everybody, store, lambda path, name: sealed.append(name)
  )
  text, content = _content(path)
  assert 'STUDY_JSON' not in text and 'SCRIPT_POLICY' not in text
  assert not re.findall(r'(?:src|href)\s*=\s*"', text)
  assert content['study'] == study.identify(chosen)
  asked = sum(content['rounds'], [])
  assert [q['id'] for q in asked] == [t.id for t in sum(chosen, [])]
  assert {q['group'] for q in asked} <= {
    'Nearest frame (1)', 'Nearest frame (4)',
    'Landmark warp (1)', 'Landmark warp (4)',
  }  # fmt: skip
  # One file for three images: all are coded, and signed, alike.
  assert sealed == [f'triplet-{t.id}.jpg' for t in sum(chosen, [])]
  encoded = asked[0]['image'].removeprefix('data:image/jpeg;base64,')
  image = Image.open(io.BytesIO(base64.b64decode(encoded)))
  assert image.size == (800, 256)


def _write(path, answers, **others):
  path.write_text(json.dumps({'study': 'x', 'answers': answers, **others}))
  return path


def _answer(triplet, chosen, participant='0' * 16):
  return {'participant': participant, 'triplet': triplet.id, 'chosen': chosen}


def _score(paths, rounds):
  return study.score({p: study.read_answers(p) for p in paths}, rounds)


def test_scores_are_shares_of_right_answers(rounds, tmp_path):
  questions = [t for t in sum(rounds, []) if t.group == (4, 'warp')]
  ann = [t for t in questions if t.row['person'] == 'p0']
  bob = [t for t in questions if t.row['person'] == 'p1'][:1]
  one = _write(
    tmp_path / 'one.json',
    [_answer(t, t.place) for t in ann]
    + [_answer(t, (t.place + 1) % 3) for t in bob],
  )
  two = _write(
    tmp_path / 'two.json',
    [_answer(t, (t.place + 2) % 3, 'f' * 16) for t in ann[:1]],
  )
  found = _score([one, two], rounds)
  n = len(ann)
  assert found.shares == {(4, 'warp'): {'p0': n / (n + 1), 'p1': 0}}
  assert (found.num_participants, found.num_answers) == (2, n + 2)
  assert _score([], rounds).shares == {}


def test_wrong_answers_are_refused(rounds, tmp_path):
  triplet = rounds[0][0]
  good = _answer(triplet, 1)
  path = tmp_path / 'a.json'
  for content in (
    'hello', '[]', '{}', '{"answers": 3}', '{"answers": [3]}', '[' * 100_000,
    json.dumps({'answers': [{**good, 'chosen': 3}]}),
    json.dumps({'answers': [{**good, 'chosen': True}]}),
    json.dumps({'answers': [{**good, 'triplet': '../../etc/passwd'}]}),
    json.dumps({'answers': [{**good, 'participant': None}]}),
  ):  # fmt: skip
    path.write_text(content)
    with pytest.raises(UserError, match=r'a\.json: not the answers'):
      study.read_answers(path)
  with pytest.raises(UserError, match='cannot be read'):
    study.read_answers(tmp_path / 'missing.json')
  _write(path, [{**good, 'triplet': 'a' * 16}])
  with pytest.raises(UserError, match='not of this evaluation'):
    _score([path], rounds)
  _write(path, [good])
  again = _write(tmp_path / 'b.json', [good])
  with pytest.raises(UserError, match=r'b\.json: .* counted already'):
    _score([path, again], rounds)
