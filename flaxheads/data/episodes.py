"""Episodes of meta-training: K+1 frames sampled from one video.

Random access: episode n depends on the seed and n alone.
"""

import functools
from collections.abc import Callable

import grain
import numpy as np

from flaxheads.data import mixture, records
from flaxheads.errors import UserError

_MAX_POSITIONS = 2**62


def _too_few(video_id, num_frames, num_support):
  return UserError(
    f'{video_id}: has {num_frames} frames, but num_support={num_support} needs'
    f' {num_support + 1} different ones; lower num_support or prepare the'
    f' dataset again with --min_frames={num_support + 1}'
  )


def _check(source, num_support):
  for part in source.parts:
    if not len(part.records):
      folder = getattr(part.records, 'folder', 'the dataset')
      raise UserError(f'{folder}: is empty; prepare it from other videos')
    fewest = getattr(part.records, 'fewest_frames', lambda: None)()
    if fewest is not None and fewest[1] <= num_support:
      raise _too_few(*fewest, num_support)


@functools.lru_cache(maxsize=16)  # enough for the epochs around a step
def _order(seed, epoch, part, length):
  # grain's shuffle takes 6 ms per index on a few records.
  rng = np.random.default_rng([seed, epoch, 0, part])
  return rng.permutation(length)


FrameChoice = Callable[[np.ndarray, int, np.random.Generator], tuple]


def any_frames(points, num_support: int, rng):
  """K+1 different frames of a record: the FrameChoice of the paper's model.

  Args:
    points: float32 [F, 68, 2] of the record, F > K.
    num_support: K.
    rng: of the episode.

  Returns:
    Indices int64 [K+1] with the target last, and the points of these frames,
    float32 [K+1, N, 2 or more]: x and y in pixels of the record, and further
    columns as they are.
  """
  chosen = rng.choice(len(points), num_support + 1, replace=False)
  return chosen, points[chosen]


class _MakeEpisode:
  """Maps a position within one part to its episode.

  Each part counts its own epochs and is reshuffled in each of them.
  """

  def __init__(self, source, part, num_support, image_size, seed, choose):
    self._records = source.parts[part].records
    self._offset = source.offsets[part]
    self._part = part
    self._num_support = num_support
    self._image_size = image_size
    self._seed = seed
    self._choose = choose

  def __call__(self, position: int):
    length = len(self._records)
    epoch, place = divmod(position, length)
    index = int(_order(self._seed, epoch, self._part, length)[place])
    record = self._records[index]
    num_frames = int(record['num_frames'])
    if num_frames <= self._num_support:
      video_id = records.text(record['video_id'])
      raise _too_few(video_id, num_frames, self._num_support)
    # The position seeds the choice, so every epoch has other frames. Sampling
    # without replacement keeps the target out of the support frames.
    rng = np.random.default_rng([self._seed, position, 1, self._part])
    chosen, points = self._choose(record['points'], self._num_support, rng)
    # A list of frames: stacking them here would add a copy.
    frames, _ = records.decode_list(record, chosen, self._image_size)
    scale = np.float32(self._image_size / int(record['image_size']))
    points = np.concatenate([points[..., :2] * scale, points[..., 2:]], -1)
    return frames, points, np.int32(self._offset + index)


def make_episodes(
  source: mixture.Mixture,
  num_support: int,
  image_size: int,
  seed: int,
  choose: FrameChoice = any_frames,
) -> grain.MapDataset:
  """The episodes of a run, interleaved from all parts by their weights.

  Args:
    source: the records.
    num_support: K.
    image_size: S, side of the frames in pixels.
    seed: any non-negative integer.
    choose: picks the frames of a record, and returns their points.

  Returns:
    A grain dataset. Element n is (K+1 frames uint8 [S, S, 3], points float32
    [K+1, 68, 2] in pixels or what `choose` returns, int32 index of the record
    in `source`).

  Raises:
    UserError: a part is empty, or one of its videos has too few frames.
  """
  _check(source, num_support)
  parts = [
    grain.MapDataset.range(_MAX_POSITIONS).map(
      _MakeEpisode(source, part, num_support, image_size, seed, choose)
    )
    for part in range(len(source.parts))
  ]
  weights = [part.weight for part in source.parts]
  interleaving = mixture.Interleaving(weights, _MAX_POSITIONS)
  return grain.MapDataset.select_from_datasets(parts, interleaving)
