"""Summarises the rows of people to the numbers of a table."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from flaxheads.evaluation import results
from flaxheads.evaluation.protocol import REAL
from flaxheads.metrics import fid, kid


class Metric(NamedTuple):
  """How a number is named and written.

  Attributes:
    label: in the table, with its unit.
    arrow: the better direction.
    scale: the table's number over the stored one.
    digits: behind the point.
  """

  label: str
  arrow: str
  scale: float
  digits: int


# In the order of the columns.
METRICS = {
  'fid': Metric('FID', '↓', 1, 1),
  'ssim': Metric('SSIM', '↑', 1, 3),
  'csim': Metric('CSIM', '↑', 1, 3),
  'csim_sface': Metric('CSIM (SFace)', '↑', 1, 3),
  'user': Metric('USER', '↓', 1, 2),
  'kid': Metric('KID ×10³', '↓', 1000, 2),
  'lpips': Metric('LPIPS', '↓', 1, 3),
  'psnr': Metric('PSNR dB', '↑', 1, 2),
  'psnr_face': Metric('face PSNR dB', '↑', 1, 2),
  'nme': Metric('NME %', '↓', 100, 2),
  'akd': Metric('AKD %', '↓', 100, 2),
  'failure_rate': Metric('no face %', '↓', 100, 1),
  'flicker': Metric('flicker %', '↓', 100, 2),
  'realism': Metric('realism', '↑', 1, 2),
}
# Zakharov et al. 2019, and a freely available network besides ArcFace.
TABLE_1 = ('fid', 'ssim', 'csim', 'csim_sface', 'user')
_FEATURES = 'inception'


def split_name(key: str) -> tuple[str, str]:
  """A marked metric and its mark: 'csim_random_weights' -> 'csim', 'random...'.

  Raises:
    KeyError: no such metric.
  """
  if key in METRICS:
    return key, ''
  for name in sorted(METRICS, key=len, reverse=True):  # csim_sface before csim
    if key.startswith(f'{name}_') and key.endswith('weights'):
      return name, key[len(name) + 1 :].replace('_', ' ')
  raise KeyError(key)


def is_metric(key: str) -> bool:
  """Whether a row's key names a metric, marked or not."""
  try:
    return bool(split_name(key))
  except KeyError:
    return False


def find_metric(key: str) -> Metric:
  """The metric of a key; its label carries the mark."""
  name, mark = split_name(key)
  metric = METRICS[name]
  return metric._replace(label=f'{metric.label} ({mark})') if mark else metric


def order(keys) -> list[str]:
  """Keys of metrics in the order of the columns."""
  names = list(METRICS)
  return sorted(keys, key=lambda key: (names.index(split_name(key)[0]), key))


def _compare_sets(generated, real, seed) -> dict[str, dict]:
  """FID and KID of features of each person, [F_p, D] each."""
  distance = fid.feature_distance(
    np.concatenate(generated), np.concatenate(real)
  )
  sums, count = kid.kernel_sums(generated, real), len(generated)
  # As counts: the KID of a resample is a sum over pairs of people.
  people = results.draw_people(count, seed)
  draws = np.stack([np.bincount(p, minlength=count) for p in people])
  (value,) = kid.resampled_kernel_distance(sums, np.ones((1, count)))
  low = high = None
  if count > 1:
    resampled = kid.resampled_kernel_distance(sums, draws)
    low, high = results.percentile_interval(resampled)
  return {
    # No interval: resamples have fewer different images than the sample,
    # and the FID grows where there are fewer.
    'fid': {
      **results.Estimate(distance.value, None, None, count)._asdict(),
      'small_sample': distance.small_sample,
    },
    'kid': results.Estimate(float(value), low, high, count)._asdict(),
  }


def _features(row, arrays) -> dict[str, np.ndarray]:
  """By their mark, '' or '_random_weights'."""
  return {
    name.removeprefix(_FEATURES): value
    for name, value in arrays(row).items()
    if name.startswith(_FEATURES)
  }


def _set_distances(members, real, arrays, seed) -> dict[str, dict]:
  generated = [_features(row, arrays) for row in members]
  distances = {}
  for mark in generated[0]:
    pairs = [
      (features[mark], real[row['person']][mark])
      for row, features in zip(members, generated, strict=True)
    ]
    if sum(len(x) for x, _ in pairs) < 2:
      continue
    found = _compare_sets(*zip(*pairs, strict=True), seed)
    distances.update({name + mark: found[name] for name in found})
  return distances


def summarise(
  rows: Sequence[dict],
  seed: int = 0,
  arrays: Callable[[dict], Mapping[str, np.ndarray]] = lambda _: {},
  user_scores: Mapping[tuple[int, str], Mapping[str, float]] | None = None,
) -> list[dict]:
  """Statistics over people for each method and number of shots.

  Args:
    rows: from protocol.evaluate; either those of the people's own motion, or
      those of others' and the real frames'.
    seed: of the bootstrap; the same for all, so that methods are compared on
      the same resamples of people.
    arrays: of a row, see results.Store; where there are features of Inception
      they are pooled over people for FID and KID.
    user_scores: of `study.score`: by (T, method) and person.

  Returns:
    One dictionary for each (T, method), in the order of the rows:
    num_shots, method, and mean, low, high and count for each metric.
  """
  groups = {}
  for row in rows:
    groups.setdefault((row['num_shots'], row['method']), []).append(row)
  real = {
    row['person']: _features(row, arrays)
    for row in rows
    if row['method'] == REAL
  }
  summary = []
  for (num_shots, method), members in groups.items():
    keys = {key for row in members for key in row if is_metric(key)}
    found = {
      key: results.bootstrap_mean([row.get(key) for row in members], seed)
      for key in keys
    }
    found = {key: estimate._asdict() for key, estimate in found.items()}
    if method != REAL:
      found.update(_set_distances(members, real, arrays, seed))
    scores = (user_scores or {}).get((num_shots, method))
    if scores:
      values = list(scores.values())
      found['user'] = results.bootstrap_mean(values, seed)._asdict()
    ordered = {key: found[key] for key in order(found)}
    summary.append({'num_shots': num_shots, 'method': method, **ordered})
  return summary
