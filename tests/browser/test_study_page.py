"""The user study in a browser: what is asked, counted, kept and saved."""

import re

import numpy as np
import pytest

from flaxheads.evaluation import (
  protocol,
  results,
  study,
  study_page,
  summary,
  trials,
)
from flaxheads.evaluation.protocol import Method
from tests.faces import make_person

SHOTS = (1, 4)


def _noise(seed):
  """A method whose pictures differ, all of them."""

  def render(frames, points, drivers):
    rng = np.random.default_rng([seed, len(frames), int(points.sum())])
    return rng.integers(0, 256, (len(drivers.points), 32, 32, 3), np.uint8)

  return render


@pytest.fixture(scope='module')
def made(tmp_path_factory):
  """A study of three people, two methods and two T, and what it rests on."""
  folder = tmp_path_factory.mktemp('study')
  people = [make_person(f'p{i}', seed=i, num_frames=24) for i in range(3)]
  everybody = trials.make_trials(people, SHOTS, 'halves', 12)
  methods = [Method('ff', _noise(1)), Method('ft', _noise(2))]
  store = results.Store(folder)
  rows = protocol.evaluate(everybody, methods, SHOTS, store)
  rounds = study.choose(study.make_triplets(rows, everybody), 18)
  path = folder / 'study.html'
  study_page.write_study(path, rounds, everybody, store)
  return path, rows, rounds


@pytest.fixture
def opened(page, made):
  page.goto(made[0].as_uri())
  return page


# The question whose picture is shown: not what the script thinks it asked.
_SHOWN = """() => {
  const shown = document.getElementById('image').src;
  return triplets.filter(triplet => triplet.image === shown).map(t => t.id);
}"""


def _asked(page, rounds):
  """The triplet whose picture the page shows."""
  (shown,) = page.evaluate(_SHOWN)
  return next(t for t in sum(rounds, []) if t.id == shown)


def _take_part(page, rounds, decide, count=None):
  """Answers `count` questions, or all; returns the triplets and the choices."""
  page.click('#begin')
  given = []
  while page.is_visible('#question') and len(given) != count:
    triplet = _asked(page, rounds)
    chosen = decide(triplet)
    if len(given) % 2:
      page.keyboard.press(str(chosen + 1))
    else:
      page.click(f'#choices button[data-place="{chosen}"]')
    given.append((triplet, chosen))
  return given


def _scores(page):
  return {
    cells[0]: cells[1:]
    for cells in (
      row.locator('td').all_text_contents()
      for row in page.locator('#scores tr').all()
    )
  }


def _save(page, path):
  with page.expect_download() as download:
    page.click('#save')
  download.value.save_as(path)
  return path


def test_counts_and_the_user_column_come_out_right(opened, made, tmp_path):
  _, rows, rounds = made
  number = sum(map(len, rounds))
  assert f'{number} questions' in opened.text_content('#start')

  def decide(triplet):  # finds all of ff, and of ft those of one person
    if triplet.group[1] == 'ff':
      return triplet.place
    right = triplet.group[0] == 1 and triplet.row['person'] == 'p0'
    return triplet.place if right else (triplet.place + 1) % 3

  given = _take_part(opened, rounds, decide)
  assert sorted(t.id for t, _ in given) == sorted(
    t.id for asked in rounds for t in asked
  )
  wanted = {}
  for triplet, chosen in given:
    wanted.setdefault(triplet.group, []).append(chosen == triplet.place)
  right = sum(map(sum, wanted.values()))
  said = opened.text_content('#own')
  assert said == f'You answered {number} questions, {right} of them right.'
  titles = {'ff': 'Ours-FF', 'ft': 'Ours-FT'}
  assert _scores(opened) == {
    f'{titles[method]} ({t})': [
      str(len(answers)), str(sum(answers)), f'{np.mean(answers):.2f}',
    ]
    for (t, method), answers in wanted.items()
  }  # fmt: skip
  saved = _save(opened, tmp_path / 'answers.json')
  found = study.score({saved: study.read_answers(saved)}, rounds)
  assert (found.num_participants, found.num_answers) == (1, number)
  table = {
    (entry['num_shots'], entry['method']): entry['user']['mean']
    for entry in summary.summarise(rows, user_scores=found.shares)
    if 'user' in entry
  }
  assert table == pytest.approx(
    {(1, 'ff'): 1, (4, 'ff'): 1, (1, 'ft'): 1 / 3, (4, 'ft'): 0}
  )


def test_it_goes_on_after_an_interruption_and_adds_participants(
  opened, made, tmp_path
):
  _, _, rounds = made
  first = _take_part(opened, rounds, lambda t: t.place, count=5)
  expected = opened.get_attribute('#image', 'src')
  opened.reload()
  assert opened.is_visible('#question')
  assert opened.get_attribute('#image', 'src') == expected
  opened.click('#stop')
  assert 'answered 5 questions, 5 of them right' in opened.text_content('#own')
  opened.click('#next')
  assert 'So far 1 participant' in opened.text_content('#others')
  second = _take_part(opened, rounds, lambda t: (t.place + 1) % 3, count=4)
  opened.click('#stop')
  assert opened.text_content('#total') == '2 participants, 9 answers.'
  counts = np.array([row[:2] for row in _scores(opened).values()], int)
  np.testing.assert_array_equal(counts.sum(0), [9, 5])
  saved = _save(opened, tmp_path / 'answers.json')
  answers = study.read_answers(saved)
  assert [(a['triplet'], a['chosen']) for a in answers] == [
    (triplet.id, chosen) for triplet, chosen in first + second
  ]
  found = study.score({saved: answers}, rounds)
  assert (found.num_participants, found.num_answers) == (2, 9)
  opened.on('dialog', lambda dialog: dialog.accept())
  opened.click('#forget')
  opened.reload()
  assert opened.text_content('#others') == ''


def test_each_participant_has_an_order_of_their_own(opened, made):
  _, _, rounds = made
  orders = []
  for _ in range(2):
    given = _take_part(opened, rounds, lambda t: 0)
    orders.append([triplet.id for triplet, _ in given])
    ends = np.cumsum([len(asked) for asked in rounds])[:-1]
    for asked, ids in zip(rounds, np.split(orders[-1], ends), strict=True):
      assert {t.id for t in asked} == set(ids)  # each person once a round
    opened.click('#next')
  assert orders[0] != orders[1]


def test_keys_count_only_where_a_question_is_asked(opened):
  opened.keyboard.press('1')  # before the start
  assert opened.is_visible('#start')
  opened.click('#begin')
  for key in ('4', 'Enter', 'a', '1'):
    opened.keyboard.press(key)
  assert opened.get_attribute('#progress', 'value') == '1'
  opened.click('#stop')
  opened.keyboard.press('2')  # after the end
  assert opened.text_content('#total') == '1 participant, 1 answer.'


def test_nothing_is_sent_and_foreign_scripts_do_not_run(page, made, tmp_path):
  requests = []
  page.on('request', lambda request: requests.append(request.url))
  page.goto(made[0].as_uri())
  page.click('#begin')
  assert not [u for u in requests if not re.match('file:|data:', u)]
  # What the policy is for: a script that is not the page's own.
  spoilt = tmp_path / 'spoilt.html'
  text = made[0].read_text().replace("'use strict';", "'use strict'; ", 1)
  spoilt.write_text(text)
  other = page.context.new_page()  # its errors are expected
  other.goto(spoilt.as_uri())
  assert other.locator('main').count() == 3
  assert other.locator('main:visible').count() == 0


def test_a_page_with_spoilt_memory_starts_anew(opened, made):
  key = 'flaxheads-study-' + study.identify(made[2])
  for memory in ('{', '3', '{"answers": [{"chosen": 9}, null]}'):
    opened.evaluate('([k, v]) => localStorage.setItem(k, v)', [key, memory])
    opened.reload()
    assert opened.is_visible('#start')
    assert opened.text_content('#others') == ''
