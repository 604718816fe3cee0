"""The evaluation protocol: T support frames, test frames, metrics.

For each person, number of shots T and method: the method sees T support
frames with their points and the points of the test frames, and the frames
that it generates are compared with the test frames (Zakharov et al. 2019,
section 4). In cross-reenactment it also sees the points of the next person's
test frames, for which there is no true frame. A method that is driven by frames
has to declare it: in self-reenactment these are the true frames, which no other
method may see. A method is a callable, so this module knows no network.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from flaxheads.errors import UserError, check_range
from flaxheads.evaluation import results, splits
from flaxheads.evaluation.evaluators import NO_EVALUATORS, Evaluators
from flaxheads.evaluation.measure import Measured, Target, Truth, measure
from flaxheads.evaluation.trials import Trial

# Raise it when a change makes old results incomparable with new ones.
VERSION = 2
NUM_KEPT = 3  # generated frames of a result, for the figure and the user study
REAL = 'real'  # the real frames themselves: what the evaluators say of them


class Generated(NamedTuple):
  """Frames, and how the person in them came to be.

  Attributes:
    frames: uint8 [F, S, S, 3].
    curve: of fine-tuning, as JSON values (fewshot.validation); a result
      keeps it.
  """

  frames: np.ndarray
  curve: dict | None = None


class Drivers(NamedTuple):
  """What a person is to do.

  Attributes:
    points: float32 [F, 68, 2] in pixels.
    frames: uint8 [F, S, S, 3] that show it, of the person or of another one;
      None for a method that did not ask for them.
  """

  points: np.ndarray
  frames: np.ndarray | None = None


class Method(NamedTuple):
  """A way of drawing a person.

  Attributes:
    name: as in the table.
    render: takes support frames uint8 [T, S, S, 3], their points
      [T, 68, 2] and Drivers of F frames; returns uint8 [F, S, S, 3] or
      Generated. A frame depends on its own driver alone.
    settings: whatever else its images depend on, as JSON values; a result
      is reused only under the same settings.
    driven_by_frames: whether it gets the drivers' frames beside their points.
  """

  name: str
  render: Callable[[np.ndarray, np.ndarray, Drivers], np.ndarray | Generated]
  settings: dict[str, Any] = {}
  driven_by_frames: bool = False


def kept_frames(trial: Trial) -> np.ndarray:
  """Which of the test frames are kept as generated, int [NUM_KEPT or less]."""
  count = min(NUM_KEPT, len(trial.test))
  return splits.spread_evenly(np.arange(len(trial.test)), count)


def fingerprint(trial, num_shots, method, target, evaluators) -> str:
  """Hash of all that a result depends on: frames, points and settings."""
  what = {
    'version': VERSION,
    'num_shots': num_shots,
    'method': method.name,
    'settings': method.settings,
    'evaluators': evaluators.identify(),
    'driven': target.driver is not None,
  }
  digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode())
  support = trial.support[num_shots] if num_shots else trial.test
  for index in (support, trial.test):
    digest.update(str(trial.frames[index].shape).encode())
    digest.update(trial.frames[index].tobytes())
    digest.update(trial.points[index].tobytes())
  digest.update(target.points.tobytes())
  if method.driven_by_frames:
    digest.update(target.frames.tobytes())
  return digest.hexdigest()


class _Job(NamedTuple):
  """What is generated at once: a person, T and method, by all their drivers."""

  trial: Trial
  num_shots: int
  method: Method
  targets: list[Target]


def _targets(trials, i, cross) -> list[Target]:
  trial = trials[i]
  test = trial.test
  targets = [Target(trial.points[test], frames=trial.frames[test])]
  if cross:
    driver = trials[(i + 1) % len(trials)]
    test = driver.test
    targets.append(
      Target(driver.points[test], driver.name, driver.frames[test])
    )
  return targets


def _list_jobs(trials, methods, num_shots, cross) -> list[_Job]:
  real, jobs = Method(REAL, lambda *_: None), []
  for i, trial in enumerate(trials):
    targets = _targets(trials, i, cross)
    jobs.append(_Job(trial, 0, real, targets[:1]))
    jobs += [
      _Job(trial, t, method, targets) for t in num_shots for method in methods
    ]
  return jobs


def _render(job: _Job, targets) -> list[Generated]:
  """What is generated of each target; a person is fine-tuned once for all."""
  trial = job.trial
  if job.method.name == REAL:
    return [Generated(trial.frames[trial.test])]
  support = trial.support[job.num_shots]
  drivers = Drivers(np.concatenate([target.points for target in targets]))
  if job.method.driven_by_frames:
    shown = np.concatenate([target.frames for target in targets])
    drivers = drivers._replace(frames=shown)
  generated = job.method.render(
    trial.frames[support], trial.points[support], drivers
  )
  generated = (
    generated if isinstance(generated, Generated) else Generated(generated)
  )
  frames, wanted = np.asarray(generated.frames), len(drivers.points)
  if len(frames) != wanted:
    raise ValueError(
      f'{job.method.name} generated {len(frames)} frames for {wanted} drivers'
    )
  ends = np.cumsum([len(target.points) for target in targets])
  return [
    generated._replace(frames=part) for part in np.split(frames, ends[:-1])
  ]


def _keep(
  store, job, target, key, generated, measured: Measured, seconds
) -> dict:
  frames = generated.frames
  row = {
    'person': job.trial.name,
    'driver': target.driver,
    'num_shots': job.num_shots,
    'method': job.method.name,
    **measured.values,
    **({'curve': generated.curve} if generated.curve else {}),
    'num_test_frames': len(frames),
    'seconds': round(seconds, 3),
    'fingerprint': key,
  }
  # Of another's motion as many frames as of one's own.
  kept = kept_frames(job.trial).clip(max=len(frames) - 1)
  arrays = {**measured.arrays, 'frames': frames[kept]}
  return store.add(row, arrays)


def _run(job: _Job, truth: Truth, evaluators, store) -> list[dict]:
  """The rows of a job; evaluates what is missing in the store."""
  keys = [
    fingerprint(job.trial, job.num_shots, job.method, target, evaluators)
    for target in job.targets
  ]
  rows = {key: store.find(key) for key in keys}
  missing = [
    (t, k) for t, k in zip(job.targets, keys, strict=True) if not rows[k]
  ]
  if missing:
    start = time.perf_counter()
    generated = _render(job, [target for target, _ in missing])
    seconds = (time.perf_counter() - start) / len(missing)
    support = job.trial.support.get(job.num_shots, job.trial.test)
    for (target, key), part in zip(missing, generated, strict=True):
      measured = measure(part.frames, truth, target, support, evaluators)
      rows[key] = _keep(store, job, target, key, part, measured, seconds)
  return [
    {**rows[key], 'person': job.trial.name, 'driver': target.driver}
    for target, key in zip(job.targets, keys, strict=True)
  ]


def _check(trials, methods, num_shots, cross):
  names = [method.name for method in methods]
  if len(set(names)) < len(names) or REAL in names or not names:
    raise UserError(
      f'--methods: {", ".join(names)!r}; different names, and not {REAL!r},'
      ' are needed'
    )
  for t in num_shots:
    check_range('num_shots', t, 1)
  if cross and len(trials) < 2:
    raise UserError(
      f'cross-reenactment: {len(trials)} person; at least 2 are needed'
    )


def evaluate(
  trials: Sequence[Trial],
  methods: Sequence[Method],
  num_shots: Sequence[int],
  store: results.Store,
  evaluators: Evaluators = NO_EVALUATORS,
  cross: bool = False,
  progress: Callable[[list], Iterable] = iter,
) -> list[dict]:
  """Draws and measures everything, and keeps each result as it is made.

  What the store already has with the same fingerprint is not made again, so an
  interrupted evaluation resumes where it stopped.

  Args:
    trials: from `trials.make_trials`, made for these `num_shots`.
    methods: names must differ.
    num_shots: each T.
    store: where results go.
    evaluators: what to measure with.
    cross: whether each person is also driven by the next one, the last by the
      first.
    progress: wraps the list of jobs, as tqdm does.

  Returns:
    A row for each person, T and method, with 'driver' None; after it, with
    `cross`, one with the driver's name. And one for each person's real frames
    (method 'real', T = 0).

  Raises:
    UserError: duplicate or reserved names, or no other person as a driver.
  """
  _check(trials, methods, num_shots, cross)
  rows, truth = [], None
  for job in progress(_list_jobs(trials, methods, num_shots, cross)):
    if truth is None or truth.trial is not job.trial:
      truth = Truth(job.trial, evaluators)
    rows += _run(job, truth, evaluators, store)
  return rows
