"""VoxCeleb2 and VoxCeleb1 as datasets: one record per video.

The identity splits are the published ones: the folders dev and test of
VoxCeleb2 (Chung et al. 2018), and the 40 people of the verification test of
VoxCeleb1 (Nagrani et al. 2017).
"""

import dataclasses
import re

from etils import epath

from flaxheads.data.kinds import VIDEO_EXTENSIONS
from flaxheads.data.preparation.builder import VideoBuilder
from flaxheads.data.preparation.job import Job, Options
from flaxheads.errors import UserError

_FPS = 25.0  # of VoxCeleb's frame numbers
_FOLDERS = {'dev': 'train', 'test': 'test'}
_IDENTITY = re.compile(r'id\d{5}')
# The people whose names begin with E: the test set of both trial lists.
_VOXCELEB1_TEST = range(10270, 10310)
_MAX_TEXT = 1 << 20  # bytes


@dataclasses.dataclass(frozen=True)
class VoxCelebOptions(Options):
  """The layout of the videos below `source`.

  VoxCeleb2, as the published archives unpack:
  source/dev/mp4/id00012/VIDEO/00001.mp4, and source/test likewise. The folder
  mp4 is optional. If source/dev/txt/id00012/VIDEO/00001.txt exists, it gives
  the start time of the utterance.

  VoxCeleb1 is published as addresses and boxes. `source` holds the clips cut
  from them: source/id10001/VIDEO/00001.mp4.
  """


def _folder(path):
  """The folder of identities: path/mp4, or path itself."""
  return path / 'mp4' if (path / 'mp4').is_dir() else path


def _sorted_folders(path):
  return sorted(
    (each for each in path.iterdir() if each.is_dir()), key=lambda p: p.name
  )


def _utterances(folder):
  return sorted(
    (
      path
      for path in folder.iterdir()
      if path.suffix.lower() in VIDEO_EXTENSIONS
      and not path.name.startswith('.')
    ),
    key=lambda path: path.name,
  )


def read_start(path) -> float | None:
  """Reads the start of an utterance from VoxCeleb's text file.

  Args:
    path: a text file with lines 'FRAME X Y W H' after a heading.

  Returns:
    Seconds from the start of the video; None if the file does not exist or
    has no such line.
  """
  path = epath.Path(path)
  if not path.exists() or path.stat().length > _MAX_TEXT:
    return None
  text = path.read_bytes().decode(errors='replace')
  frame = re.search(r'^FRAME\b.*\n\s*(\d{1,9})\s', text, re.MULTILINE)
  return int(frame[1]) / _FPS if frame else None


def _starts(paths, texts):
  if texts is None:
    return ()
  starts = [read_start(texts / f'{path.stem}.txt') for path in paths]
  return () if None in starts else tuple(starts)


def _jobs(folder, split_of, texts=None) -> list[Job]:
  """One job for each identity/video below a folder."""
  jobs = []
  for identity in _sorted_folders(folder):
    if not _IDENTITY.fullmatch(identity.name):
      continue
    for each in _sorted_folders(identity):
      paths = _utterances(each)
      if not paths:
        continue
      beside = texts and texts / identity.name / each.name
      starts = _starts(paths, beside)
      if starts:  # sort by time
        order = sorted(range(len(paths)), key=lambda i: starts[i])
        paths = [paths[i] for i in order]
        starts = tuple(starts[i] for i in order)
      jobs.append(
        Job(
          tuple(map(str, paths)),
          f'{identity.name}/{each.name}',
          identity.name,
          split_of(identity.name),
          starts,
        )
      )
  return jobs


def _source(options):
  source = epath.Path(options.source).expanduser()
  if not options.source or not source.is_dir():
    raise UserError(
      f'--source: {options.source!r} is not a folder; name the folder of the'
      ' unpacked archives'
    )
  return source


def list_voxceleb2(options: VoxCelebOptions) -> list[Job]:
  """All videos of VoxCeleb2, sorted by split and identity.

  Raises:
    UserError: the folder does not exist or has another layout, or an identity
      is in both splits.
  """
  source = _source(options)
  jobs = []
  for name, split in _FOLDERS.items():
    if (source / name).is_dir():
      folder = _folder(source / name)
      texts = source / name / 'txt'
      texts = texts if texts.is_dir() else None
      jobs += _jobs(folder, lambda _, split=split: split, texts)
  if not jobs:
    raise UserError(
      f'--source: {options.source} has no dev/mp4/id00012/VIDEO/00001.mp4 or'
      ' test/mp4/... as VoxCeleb2 is published; name the folder above dev and'
      ' test'
    )
  people = [
    {j.identity_id for j in jobs if j.split == s} for s in ('train', 'test')
  ]
  both = sorted(people[0] & people[1])
  if both:
    raise UserError(
      f'--source: {both[0]} is in dev and in test; an identity belongs to one'
      ' split'
    )
  return jobs


def list_voxceleb1(options: VoxCelebOptions) -> list[Job]:
  """All videos of VoxCeleb1, sorted by identity.

  Raises:
    UserError: the folder does not exist or has another layout.
  """

  def split_of(identity):
    return 'test' if int(identity[2:]) in _VOXCELEB1_TEST else 'train'

  jobs = _jobs(_folder(_source(options)), split_of)
  if not jobs:
    raise UserError(
      f'--source: {options.source} has no id10001/VIDEO/00001.mp4; name the'
      ' folder of clips cut by the published boxes'
    )
  return jobs


class VoxCeleb2(VideoBuilder):
  """Builds `voxceleb2`; `options` is a `VoxCelebOptions`."""

  name = 'voxceleb2'
  options_class = VoxCelebOptions

  def list_jobs(self) -> list[Job]:
    return list_voxceleb2(self.options)


class VoxCeleb1(VideoBuilder):
  """Builds `voxceleb1`; `options` is a `VoxCelebOptions`."""

  name = 'voxceleb1'
  options_class = VoxCelebOptions

  def list_jobs(self) -> list[Job]:
    return list_voxceleb1(self.options)
