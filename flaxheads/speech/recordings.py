"""Training examples from videos of people who speak.

The datasets of `launch.prepare` hold up to 64 frames spread over a video; the
mouth needs every frame and the sound. So videos are prepared separately, one
.npz file each, with mel power at 16 kHz and the mouth in every frame.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from flaxheads.data.face_clips import load_face_clip
from flaxheads.data.kinds import VIDEO, kind_of
from flaxheads.data.sound import read_sound
from flaxheads.errors import UserError
from flaxheads.landmarks.detect import Detector
from flaxheads.speech import features
from flaxheads.speech.face import controls_of
from flaxheads.speech.hearing import decibels_of, judge
from flaxheads.speech.network import STRIDE, output_times
from flaxheads.speech.training import Example

_IMAGE_SIZE = 256
_STILL = 0.03  # standard deviation of the opening: below it, no speech
_GAP = 0.2  # seconds without a face that end an example
_LEAST_SECONDS = 1.0


def read_recording(
  path: str | os.PathLike, detector: Detector | None = None
) -> list[Example]:
  """Sound and mouth of a video.

  Args:
    path: a video with one speaking face, and its sound.
    detector: None makes the default one.

  Returns:
    An example for every stretch in which the face is seen.

  Raises:
    UserError: the file cannot be read, shows no face, has no sound, or no
      speech.
  """
  path = Path(path)
  samples = features.downsample(read_sound(path))
  power = np.concatenate(list(features.stream(samples)) or [np.zeros((0, 1))])
  if not len(power):
    raise UserError(f'{path}: its sound is too short')
  remarks = judge(decibels_of(power))
  if remarks:
    raise UserError(f'{path}: {remarks[0]}')
  clip = load_face_clip(path, _IMAGE_SIZE, detector=detector, frames=False)
  mouth = controls_of(clip.points)
  if mouth[:, 0].std() < _STILL:
    raise UserError(f'{path}: the mouth does not move, so there is no speech')
  cuts = np.flatnonzero(np.diff(clip.times) > _GAP) + 1
  examples = []
  for part in np.split(np.arange(len(clip.times)), cuts):
    seen = clip.times[part]
    times = output_times(len(power) // STRIDE)
    first, last = np.searchsorted(times, [seen[0], seen[-1]])
    if times[first:last].size * STRIDE < (
      _LEAST_SECONDS * features.FRAMES_PER_SECOND
    ):
      continue
    columns = [np.interp(times[first:last], seen, c) for c in mouth[part].T]
    examples.append(
      Example(
        power[STRIDE * first : STRIDE * last],
        np.stack(columns, -1).astype(np.float32),
      )
    )
  if not examples:
    raise UserError(
      f'{path}: the face is never seen for {_LEAST_SECONDS:g} s with sound'
    )
  return examples


def prepare(
  source: str | os.PathLike,
  folder: str | os.PathLike,
  detector: Detector | None = None,
  count_to: Callable[[list[Path]], Iterable[Path]] = iter,
) -> dict[str, str]:
  """Writes the examples of all videos below a folder; keeps those it finds.

  Args:
    source: folder of videos, searched with its subfolders.
    folder: receives an .npz file for each stretch of a video.
    detector: None makes the default one.
    count_to: iter, or one that shows progress.

  Returns:
    For each video 'kept', or the reason why it was dropped.

  Raises:
    UserError: `source` is no folder of videos.
  """
  source, folder = Path(source), Path(folder)
  videos = [p for p in sorted(source.rglob('*')) if kind_of(p) == VIDEO]
  if not videos:
    raise UserError(f'{source}: no folder with videos of people who speak')
  folder.mkdir(parents=True, exist_ok=True)
  outcome = {}
  for path in count_to(videos):
    name = str(path.relative_to(source))
    stem = name.replace(os.sep, '__')
    outcome[name] = 'kept'
    if list(folder.glob(f'{stem}.*.npz')):
      continue
    try:
      examples = read_recording(path, detector)
    except UserError as error:
      outcome[name] = str(error).removeprefix(f'{path}: ')
      continue
    for number, example in enumerate(examples):
      np.savez_compressed(folder / f'{stem}.{number}.npz', **example._asdict())
  return outcome


def load_examples(folder: str | os.PathLike) -> list[Example]:
  """Reads what `prepare` wrote.

  Raises:
    UserError: there is nothing, or a file is not one of `prepare`.
  """
  paths = sorted(Path(folder).glob('*.npz'))
  if not paths:
    raise UserError(f'{folder}: holds no prepared speech; give --clips as well')
  examples = []
  for path in paths:
    try:
      with np.load(path, allow_pickle=False) as file:
        example = Example(file['power'], file['mouth'])
    except (OSError, KeyError, ValueError) as error:
      raise UserError(
        f'{path}: not written by train_speech, or damaged; delete it ({error})'
      ) from None
    examples.append(example)
  return examples
