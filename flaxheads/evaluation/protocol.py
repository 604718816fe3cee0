"""Self-reenactment of people never seen: T frames in, held-out frames out.

For each person, number of shots T and method: the method sees T support
frames with their points and the points of the held-out frames, and what it
draws is compared with the held-out frames themselves (Zakharov et al. 2019,
section 4). A method is a callable, so that nothing here knows a network.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from flaxheads.data.image import write_png
from flaxheads.errors import UserError, check_range
from flaxheads.evaluation import results, splits
from flaxheads.metrics import image as image_metrics
from flaxheads.metrics import landmark_error

# Raise it when a change makes old results incomparable with new ones.
VERSION = 1
NUM_SHOWN = 6  # people in the comparison picture
REAL = 'real'  # the detector on the real frames: the floor of its error


class Person(NamedTuple):
  """A clip of one person: uint8 [F, S, S, 3], float32 [F, 68, 2] pixels."""

  name: str
  frames: np.ndarray
  points: np.ndarray


class Trial(NamedTuple):
  """The frames of a person that take part.

  Attributes:
    name: of the person.
    frames: uint8 [N, S, S, 3].
    points: float32 [N, 68, 2] in pixels.
    support: for each T, int [T] indices into frames.
    test: int indices into frames, none of them in a support.
  """

  name: str
  frames: np.ndarray
  points: np.ndarray
  support: dict[int, np.ndarray]
  test: np.ndarray


class Method(NamedTuple):
  """A way of drawing a person.

  Attributes:
    name: as in the table.
    render: takes support frames uint8 [T, S, S, 3], their points
      [T, 68, 2] and driver points [F, 68, 2]; returns uint8 [F, S, S, 3].
    settings: whatever else its pictures depend on, as JSON values; a result
      is reused only under the same settings.
  """

  name: str
  render: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
  settings: dict[str, Any] = {}


class Detection(NamedTuple):
  """A landmark detector and the name that stands for it in results."""

  name: str
  detect: Callable[[np.ndarray], Sequence]


def make_trial(
  person: Person, num_shots, how, num_test_frames=32, seed=0
) -> Trial:
  """Splits a clip and keeps only the frames that take part.

  Args:
    person: the whole clip.
    num_shots: each T.
    how: 'halves' or 'spread'; see flaxheads.evaluation.splits.
    num_test_frames: at most so many are held out.
    seed: of the split.

  Returns:
    Trial.

  Raises:
    UserError: the clip is too short for the largest T.
  """
  if not num_shots:
    raise UserError('num_shots: empty; at least one number is needed')
  if len(person.frames) < 2:
    raise UserError(
      f'{person.name}: {len(person.frames)} frame cannot be both support'
      ' and held out; a clip of at least 2 is needed'
    )
  split = splits.split_clip(len(person.frames), how, num_test_frames, seed)
  support = {t: splits.choose_support(split, t, person.name) for t in num_shots}
  used = np.unique(np.concatenate([split.test, *support.values()]))
  return Trial(
    person.name,
    person.frames[used],
    person.points[used].astype(np.float32),
    {t: np.searchsorted(used, index) for t, index in support.items()},
    np.searchsorted(used, split.test),
  )


def make_trials(people: Iterable[Person], *args, **kwargs) -> list[Trial]:
  """`make_trial` for everybody; refuses an empty set and twin names."""
  trials = [make_trial(person, *args, **kwargs) for person in people]
  if not trials:
    raise UserError('no people to evaluate; check the dataset or the source')
  names = [trial.name for trial in trials]
  twins = sorted({name for name in names if names.count(name) > 1})
  if twins:
    raise UserError(f'{twins[0]!r} names two people; names must differ')
  return trials


def fingerprint(trial, num_shots, method, detection) -> str:
  """Hash of all that a result depends on: frames, points and settings."""
  what = {
    'version': VERSION,
    'num_shots': num_shots,
    'method': method.name,
    'settings': method.settings,
    'detector': detection.name if detection else None,
  }
  digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode())
  support = trial.support[num_shots] if num_shots else trial.test
  for index in (support, trial.test):
    digest.update(str(trial.frames[index].shape).encode())
    digest.update(trial.frames[index].tobytes())
    digest.update(trial.points[index].tobytes())
  return digest.hexdigest()


def measure(frames, trial: Trial, detection: Detection | None) -> dict:
  """Compares drawn frames with the held-out ones.

  Args:
    frames: uint8 [F, S, S, 3], one for each held-out frame of the trial.
    trial: whose truth counts.
    detection: None leaves the landmark error out.

  Returns:
    psnr, psnr_face (dB, means over frames), ssim, nme (a fraction of the
    inter-ocular distance), failure_rate; None where there is no value.
  """
  truth, points = trial.frames[trial.test], trial.points[trial.test]
  if frames.shape != truth.shape or frames.dtype != np.uint8:
    raise ValueError(
      f'drawn frames are {frames.dtype} {frames.shape}, not uint8 {truth.shape}'
    )
  drawn, real = map(image_metrics.to_unit_range, (frames, truth))
  mask = landmark_error.face_mask(points, truth.shape[1])
  inside = np.asarray(image_metrics.psnr(drawn, real, mask))
  values = {
    'psnr': float(image_metrics.psnr(drawn, real).mean()),
    'ssim': float(image_metrics.ssim(drawn, real).mean()),
    'psnr_face': results.mean_or_none(inside),
    'nme': None,
    'failure_rate': None,
  }
  if detection:
    found = landmark_error.detected_landmark_error(
      frames, points, detection.detect
    )
    values['nme'] = results.mean_or_none(found.errors)
    values['failure_rate'] = found.failure_rate
  return values


class _Job(NamedTuple):
  trial: Trial
  num_shots: int
  method: Method
  fingerprint: str
  picture: Path | None  # where to keep the frame of the comparison picture


def _list_jobs(trials, methods, num_shots, output, detection):
  real = Method(REAL, lambda *_: None)
  for i, trial in enumerate(trials):
    wanted = [(t, method) for t in num_shots for method in methods]
    if detection:
      wanted.insert(0, (0, real))
    for t, method in wanted:
      key = fingerprint(trial, t, method, detection)
      shown = i < NUM_SHOWN and method is not real
      picture = output / 'frames' / f'{key[:20]}.png' if shown else None
      yield _Job(trial, t, method, key, picture)


def shown_frame(trial: Trial) -> int:
  """Which held-out frame stands in the comparison picture."""
  return len(trial.test) // 2


def _run(job: _Job, detection) -> dict:
  trial, t = job.trial, job.num_shots
  start = time.perf_counter()
  if job.method.name == REAL:
    frames = trial.frames[trial.test]
  else:
    support = trial.support[t]
    frames = np.asarray(
      job.method.render(
        trial.frames[support],
        trial.points[support],
        trial.points[trial.test],
      )
    )
  seconds = time.perf_counter() - start
  row = {
    'person': trial.name,
    'num_shots': t,
    'method': job.method.name,
    **measure(frames, trial, detection),
    'num_test_frames': len(trial.test),
    'seconds': round(seconds, 3),
    'fingerprint': job.fingerprint,
  }
  if job.picture:
    row['picture'] = str(Path('frames') / job.picture.name)
    job.picture.parent.mkdir(parents=True, exist_ok=True)
    write_png(job.picture, frames[shown_frame(trial)])
  return row


def evaluate(
  trials: Sequence[Trial],
  methods: Sequence[Method],
  num_shots: Sequence[int],
  output: Path,
  detection: Detection | None = None,
  progress: Callable[[list], Iterable] = iter,
) -> list[dict]:
  """Draws and measures everything, and keeps each result as it is made.

  Results go to `results.jsonl` in the output folder. What is already there
  with the same fingerprint is not made again, so an interrupted evaluation
  goes on where it stopped.

  Args:
    trials: from `make_trials`, made for these `num_shots`.
    methods: names must differ.
    num_shots: each T.
    output: a folder; made if missing.
    detection: for the landmark error; None leaves it out.
    progress: wraps the list of jobs, as tqdm does.

  Returns:
    A row for each person, T and method, and one for each person's real
    frames (method 'real', T = 0) where there is a detector.

  Raises:
    UserError: twin or reserved names, or an output that is not a folder.
  """
  names = [method.name for method in methods]
  if len(set(names)) < len(names) or REAL in names or not names:
    raise UserError(
      f'methods: {", ".join(names)!r}; different names, and not {REAL!r},'
      ' are needed'
    )
  for t in num_shots:
    check_range('num_shots', t, 1)
  output = Path(output)
  store = results.Store(output)
  rows = []
  jobs = list(_list_jobs(trials, methods, num_shots, output, detection))
  for job in progress(jobs):
    row = store.find(job.fingerprint)
    # A result without its picture counts as missing.
    if row is None or (job.picture and not job.picture.exists()):
      row = store.add(_run(job, detection))
    rows.append(row)
  return rows
