"""Loads the people of an evaluation from records or from footage."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from flaxheads.data import records
from flaxheads.data.face_clips import load_face_clip
from flaxheads.data.kinds import IMAGE, VIDEO, kind_of
from flaxheads.errors import UserError
from flaxheads.evaluation.trials import Person


def from_records(source, image_size: int, max_people: int) -> Iterator[Person]:
  """The first video of each identity of a prepared split.

  Args:
    source: of flaxheads.data.pipeline.make_source.
    image_size: S, pixels.
    max_people: at most so many.

  Yields:
    Person, named by identity and video.
  """
  seen = set()
  for i in range(len(source)):
    if len(seen) >= max_people:
      return
    record = source[i]
    identity = records.text(record['identity_id'])
    if identity in seen:
      continue
    seen.add(identity)
    frames, points = records.decode_frames(
      record, np.arange(len(record['frames'])), image_size
    )
    video_id = records.text(record['video_id'])
    same = video_id.startswith(identity)
    name = video_id if same else f'{identity}/{video_id}'
    yield Person(name, frames, points)


def list_sources(paths) -> list[tuple[Path, bool]]:
  """Clips behind what the user named, one for each person.

  Args:
    paths: videos, folders of videos (a person each), or folders of images
      (one person).

  Returns:
    (path, whether it was named itself) in the order given; the contents of a
    folder are sorted by name.

  Raises:
    UserError: missing, an empty or mixed folder, or named twice.
  """
  found = []
  for path in map(Path, paths):
    if not path.exists():
      raise UserError(
        f'--source={path}: no such file or folder; give videos or a folder'
      )
    if not path.is_dir():
      found.append((path, True))
      continue
    inside = sorted(p for p in path.iterdir() if not p.name.startswith('.'))
    videos = [p for p in inside if kind_of(p) == VIDEO]
    images = [p for p in inside if kind_of(p) == IMAGE]
    if videos and images:
      raise UserError(
        f'--source: {path} mixes videos and images; give a folder of videos'
        ' (a person each) or of images (one person)'
      )
    if not videos and not images:
      raise UserError(
        f'--source: {path} has neither videos nor images; give some'
      )
    found += [(p, False) for p in videos] or [(path, True)]
  resolved = [path.resolve() for path, _ in found]
  for i, path in enumerate(resolved):
    if path in resolved[:i]:
      raise UserError(f'--source: {found[i][0]} is given twice; give it once')
  return found


def from_sources(
  sources, image_size: int, max_people: int, detector=None, dropped=None
) -> Iterator[Person]:
  """Loads clips, one person each.

  Args:
    sources: of `list_sources`.
    image_size: S, pixels.
    max_people: at most so many that can be used.
    detector: see flaxheads.landmarks.detect; None is load_face_clip's default.
    dropped: list that is given {'source', 'reason'} for each clip of a folder
      that can't be used.

  Yields:
    Person, named by its file, or by its path where two files share a name.

  Raises:
    UserError: a clip that was named itself can't be used.
  """
  stems = [path.stem for path, _ in sources]
  count = 0
  for path, named in sources:
    if count >= max_people:
      return
    try:
      clip = load_face_clip(path, image_size, detector=detector, one_shot=True)
    except UserError as error:
      if named or dropped is None:
        raise
      dropped.append({'source': path.name, 'reason': str(error)})
      continue
    count += 1
    name = path.stem if stems.count(path.stem) == 1 else str(path)
    yield Person(name, clip.frames, clip.points)
