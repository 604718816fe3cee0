"""The user study: which of three pictures of a person is made?

Two of the three are real, held-out frames, one was drawn by a method, and the
user looks for it: realism and identity are asked for at once, and a third of
the answers are right by chance (Zakharov et al. 2019, section 4, recalled;
there the three come from different videos of a person, here from one clip).
"""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from flaxheads.errors import UserError
from flaxheads.evaluation import results
from flaxheads.evaluation.protocol import NUM_KEPT, REAL, kept_frames
from flaxheads.evaluation.splits import spread_evenly
from flaxheads.evaluation.trials import Trial

PLACES = 3
# So that every kept frame has two real ones that no other kept one has.
MIN_TEST_FRAMES = 3 * NUM_KEPT
_MAX_BYTES = 16 << 20  # of a file of answers


class Triplet(NamedTuple):
  """A question.

  Attributes:
    id: stands for the result it is made of, and the frame.
    row: the result.
    kept: which of the row's kept frames is the made picture.
    real: two indices of the held-out frames, neither of them a kept one.
    place: where the made picture stands, 0 to 2, from the left.
  """

  id: str
  row: dict
  kept: int
  real: tuple[int, int]
  place: int

  @property
  def group(self) -> tuple[int, str]:
    """(T, method)."""
    return self.row['num_shots'], self.row['method']


def _make_triplet(row, trial: Trial, kept: int) -> Triplet:
  shown = kept_frames(trial)
  others = np.setdiff1d(np.arange(len(trial.test)), shown)
  pair = spread_evenly(others[kept::NUM_KEPT], 2).tolist()
  digest = hashlib.sha256(f'{row["fingerprint"]} {kept}'.encode()).digest()
  # From the digest: a larger study asks the same questions and more.
  place = int.from_bytes(digest[8:16], 'big')
  real = tuple(pair[::-1] if place // PLACES % 2 else pair)
  return Triplet(digest[:8].hex(), row, kept, real, place % PLACES)


def make_triplets(rows, trials: Sequence[Trial]) -> list[list[Triplet]]:
  """All questions that an evaluation can ask, in rounds.

  A round asks once for each person. In the next one each person is drawn by
  the next method or T, in another frame, beside other real ones.

  Args:
    rows: from protocol.evaluate.
    trials: those that were evaluated; people with fewer than MIN_TEST_FRAMES
      held-out frames are left out.

  Returns:
    Rounds of Triplet; none where there is nobody to ask for.
  """
  people = [t for t in trials if len(t.test) >= MIN_TEST_FRAMES]
  drawn = [r for r in rows if r['method'] != REAL and r['driver'] is None]
  groups = list(dict.fromkeys((r['num_shots'], r['method']) for r in drawn))
  found = {(r['person'], r['num_shots'], r['method']): r for r in drawn}
  if not people or not groups:
    return []
  rounds = []
  for i in range(math.lcm(len(groups), NUM_KEPT)):
    rounds.append([])
    for j, trial in enumerate(people):
      row = found.get((trial.name, *groups[(i + j) % len(groups)]))
      if row:
        rounds[-1].append(_make_triplet(row, trial, i % NUM_KEPT))
  return rounds


def choose(rounds: Iterable[list[Triplet]], count: int) -> list[list[Triplet]]:
  """The first `count` questions, still in rounds."""
  chosen = []
  for questions in rounds:
    if count > 0:
      chosen.append(questions[:count])
      count -= len(questions)
  return chosen


def make_picture(triplet: Triplet, trial: Trial, drawn) -> np.ndarray:
  """The three pictures side by side.

  Args:
    triplet: the question.
    trial: of its person.
    drawn: uint8 [NUM_KEPT, S, S, 3], the row's kept frames.

  Returns:
    uint8 [S, 3 S + 2 gaps, 3], white between them.
  """
  pictures = [trial.frames[trial.test[i]] for i in triplet.real]
  pictures.insert(triplet.place, drawn[triplet.kept])
  size = pictures[0].shape[0]
  gap = np.full((size, max(2, size // 16), 3), 255, np.uint8)
  first, second, third = pictures
  return np.concatenate([first, gap, second, gap, third], 1)


def identify(rounds) -> str:
  """Stands for the questions of a study."""
  ids = sorted(triplet.id for questions in rounds for triplet in questions)
  return hashlib.sha256(' '.join(ids).encode()).hexdigest()[:16]


def read_answers(path: Path) -> list[dict]:
  """Answers of a file; what it holds is checked, not trusted.

  Args:
    path: that the page saved.

  Returns:
    Dictionaries with 'participant' and 'triplet', 16 hexadecimal digits each,
    and 'chosen', 0 to 2.

  Raises:
    UserError: a file that is no such file, or can't be read.
  """
  wrong = UserError(
    f'--study_answers={path}: not the answers that a study page saves; give'
    ' the file of its "Save answers"'
  )
  try:
    if path.stat().st_size > _MAX_BYTES:
      raise wrong
    content = json.loads(path.read_text(encoding='utf-8'))
  except OSError as error:
    raise UserError(
      f'--study_answers={path}: can not be read ({error.strerror}); give the'
      ' file that the study page saved'
    ) from None
  except (ValueError, RecursionError):
    raise wrong from None
  answers = content.get('answers') if isinstance(content, dict) else None
  if not isinstance(answers, list) or not all(map(_is_answer, answers)):
    raise wrong
  return answers


def _is_answer(answer) -> bool:
  if not isinstance(answer, dict):
    return False
  names = (answer.get('participant'), answer.get('triplet'))
  return (
    all(isinstance(x, str) and re.fullmatch('[0-9a-f]{16}', x) for x in names)
    and type(answer.get('chosen')) is int
    and 0 <= answer['chosen'] < PLACES
  )


class Scores(NamedTuple):
  """What the answers come to.

  Attributes:
    shares: by (T, method) and person, the share of right answers.
    num_participants: who gave them.
    num_answers: in all.
  """

  shares: dict[tuple[int, str], dict[str, float]]
  num_participants: int
  num_answers: int


def score(given: Mapping[Path, list[dict]], rounds) -> Scores:
  """Counts right answers.

  Args:
    given: of `read_answers`, by file.
    rounds: of `make_triplets`, all of them.

  Returns:
    Scores.

  Raises:
    UserError: answers to questions of another evaluation, or the same answer
      twice.
  """
  known = {t.id: t for questions in rounds for t in questions}
  right, seen = {}, set()
  for path, answers in given.items():
    for answer in answers:
      triplet = known.get(answer['triplet'])
      if triplet is None:
        raise UserError(
          f'--study_answers={path}: answers to questions that are not of this'
          ' evaluation; give those of the study.html beside its report'
        )
      key = (answer['participant'], triplet.id)
      if key in seen:
        raise UserError(
          f'--study_answers={path}: holds an answer that was counted already;'
          ' give the last file of each browser'
        )
      seen.add(key)
      people = right.setdefault(triplet.group, {})
      is_right = answer['chosen'] == triplet.place
      people.setdefault(triplet.row['person'], []).append(is_right)
  shares = {
    group: {name: results.mean_or_none(x) for name, x in people.items()}
    for group, people in right.items()
  }
  return Scores(shares, len({name for name, _ in seen}), len(seen))
