"""Counts, distributions and samples of a prepared dataset."""

import collections
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from flaxheads.data import records
from flaxheads.landmarks.pose import head_pose

SHARES = (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)  # quantiles that are told
# What is measured of every frame, and in which unit; `frames_per_video` is
# added to these.
MEASURES = {
  'yaw': 'degrees',
  'pitch': 'degrees',
  'roll': 'degrees',
  'face_size': '% of the side',
  'frames_per_video': 'frames',
}


class Sample(NamedTuple):
  """One frame of a dataset."""

  video_id: str
  frame: np.ndarray  # uint8 RGB [S, S, 3]
  points: np.ndarray  # float32 [68, 2], pixels
  yaw: float  # degrees; see landmarks.pose
  pitch: float
  roll: float


class Split(NamedTuple):
  """What a split holds."""

  name: str
  num_videos: int
  identities: frozenset[str]
  num_frames: int
  sizes: dict[int, int]  # videos by the side of their frames, pixels
  num_outside: int  # frames with a point outside the image
  values: dict[str, np.ndarray]  # float [N] for each of MEASURES
  samples: list[Sample]  # from the head that looks furthest left


def measure(points: np.ndarray, image_size: int) -> dict[str, np.ndarray]:
  """Poses and sizes of faces.

  Args:
    points: float [F, 68, 2], pixels.
    image_size: S, side of the images, pixels.

  Returns:
    float [F] by name: yaw, pitch and roll in degrees, see
    `landmarks.pose.head_pose`; face_size, the longer side of the box around
    the 68 points, in per cent of S.
  """
  box = np.ptp(points, axis=1)  # [F, 2]
  pose = head_pose(points)._asdict()
  return {**pose, 'face_size': 100 * box.max(1) / image_size}


def _take_sample(record, shown, rng):
  frame = int(rng.integers(record['num_frames']))
  frames, points = records.decode_frames(record, [frame], shown)
  pose = head_pose(points[0])
  return Sample(
    records.text(record['video_id']), frames[0], points[0], *map(float, pose)
  )


def inspect_split(
  source,
  *,
  num_samples: int,
  shown: int,
  seed: int = 0,
  on_video: Callable[[], None] = lambda: None,
) -> Split:
  """Reads all records of a split, and decodes one frame of some.

  Args:
    source: of `pipeline.RecordSource`.
    num_samples: frames to look at, of videos spread over the split.
    shown: side of these, pixels.
    seed: which frames these are.
    on_video: called after every record.

  Raises:
    UserError: a record is damaged.
  """
  rng = np.random.default_rng(seed)
  wanted = set(records.spread(len(source), num_samples)) if len(source) else ()
  identities, sizes = set(), collections.Counter()
  values, samples, num_outside = collections.defaultdict(list), [], 0
  for index in range(len(source)):
    record = source[index]
    records.check_record(record)
    points, size = record['points'], int(record['image_size'])
    identities.add(records.text(record['identity_id']))
    sizes[size] += 1
    num_outside += int(((points < 0) | (points > size)).any((1, 2)).sum())
    for name, measured in measure(points, size).items():
      values[name].append(measured)
    values['frames_per_video'].append([len(points)])
    if index in wanted:
      samples.append(_take_sample(record, shown, rng))
    on_video()
  joined = {
    name: np.concatenate([np.empty(0), *values[name]]).astype(np.float32)
    for name in MEASURES
  }
  return Split(
    source.split,
    len(source),
    frozenset(identities),
    int(joined['frames_per_video'].sum()),
    dict(sorted(sizes.items())),
    num_outside,
    joined,
    sorted(samples, key=lambda sample: sample.yaw),
  )


def _quantiles(values):
  values = values[np.isfinite(values)]
  if not len(values):
    return None
  found = np.quantile(values, SHARES)
  return {
    f'{100 * share:g}%': round(float(value), 2)
    for share, value in zip(SHARES, found, strict=True)
  }


def summary(dataset: str, splits: list[Split]) -> dict:
  """The facts as JSON.

  Args:
    dataset: its name.
    splits: of `inspect_split`.

  Returns:
    For each split the counts and the quantiles of each of MEASURES, and who is
    in more than one split.
  """
  seen = collections.Counter(name for s in splits for name in s.identities)
  return {
    'dataset': dataset,
    'splits': {
      split.name: {
        'videos': split.num_videos,
        'identities': len(split.identities),
        'frames': split.num_frames,
        'videos_by_image_size': split.sizes,
        'frames_with_points_outside': split.num_outside,
        'distributions': {
          name: _quantiles(values) for name, values in split.values.items()
        },
      }
      for split in splits
    },
    'identities_in_several_splits': sorted(
      name for name, count in seen.items() if count > 1
    ),
  }


def table(facts: dict) -> str:
  """The facts of `summary` as lines for a terminal."""
  lines = []
  for name, split in facts['splits'].items():
    sizes = ', '.join(f'{size}²' for size in split['videos_by_image_size'])
    lines.append(
      f'{name}: {split["identities"]} people, {split["videos"]} videos,'
      f' {split["frames"]} frames of {sizes} pixels,'
      f' {split["frames_with_points_outside"]} of them with points outside'
    )
    head = ''.join(f'{100 * share:>8g}%' for share in SHARES)
    lines.append(f'  {"":16}{head}')
    for measure_name, quantiles in split['distributions'].items():
      cells = ''.join(f'{v:9.1f}' for v in (quantiles or {}).values())
      unit = MEASURES[measure_name]
      lines.append(f'  {measure_name:16}{cells}  {unit}')
  shared = facts['identities_in_several_splits']
  if shared:
    lines.append(
      f'{len(shared)} people are in several splits: {", ".join(shared[:3])}'
    )
  return '\n'.join(lines)
