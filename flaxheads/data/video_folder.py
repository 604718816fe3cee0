"""A folder of videos as a dataset."""

import csv
import dataclasses
import hashlib
import pathlib

from absl import logging

from flaxheads.data.kinds import VIDEO, VIDEO_EXTENSIONS, kind_of
from flaxheads.data.preparation.builder import VideoBuilder
from flaxheads.data.preparation.job import Job, Options
from flaxheads.errors import UserError


@dataclasses.dataclass(frozen=True)
class VideoFolderOptions(Options):
  """Selects videos, by file name without suffix or by path below `source`.

  A video's identity is the folder directly below `source`, or the file name
  for files directly in `source`. A CSV file can replace this.
  """

  exclude: tuple[str, ...] = ()  # videos to omit
  only: tuple[str, ...] = ()  # videos to use; empty: all
  identities: str = ''  # CSV file with the columns video and identity
  test_identities: tuple[str, ...] = ()  # identities of the split 'test'


def _videos_below(source):
  folder = pathlib.Path(source).expanduser()
  if not source or not folder.is_dir():
    raise UserError(
      f'--source: {source!r} is not a folder; name a folder of videos'
    )
  videos = sorted(
    path
    for path in folder.rglob('*')
    if not path.name.startswith('.')
    and path.is_file()
    and (path.suffix.lower() in VIDEO_EXTENSIONS or kind_of(path) == VIDEO)
  )
  if not videos:
    known = ', '.join(sorted(VIDEO_EXTENSIONS))
    raise UserError(
      f'--source: no videos below {source}; known extensions: {known}'
    )
  return folder, videos


def _check_known(flag, names, known):
  # A misspelt name must not put a test person into the training split.
  unknown = sorted(set(names) - known)
  if unknown:
    raise UserError(
      f'--{flag}: nothing below --source is named {unknown[0]!r}; give names'
      ' of videos or identities'
    )


def _names(path, folder):
  """The names by which a user may refer to a video."""
  relative = path.relative_to(folder)
  return {path.stem, relative.as_posix(), str(relative.with_suffix(''))}


def _read_identities(path) -> dict[str, str]:
  """Reads {video name: identity} from a CSV file."""
  columns = 'give a CSV file whose first line is video,identity'
  try:
    with open(path, newline='', encoding='utf-8-sig') as file:
      rows = csv.DictReader(file)
      if not {'video', 'identity'} <= set(rows.fieldnames or ()):
        raise UserError(f'--identities: {path} has no such columns; {columns}')
      found = {}
      for row in rows:
        name, identity = row['video'], row['identity']
        if not name or not identity or found.get(name, identity) != identity:
          raise UserError(
            f'--identities: {path}, line {rows.line_num}: {name!r} needs one'
            ' identity'
          )
        found[name] = identity
  except (OSError, UnicodeDecodeError, csv.Error) as error:
    raise UserError(
      f'--identities: {path} cannot be read; {columns}'
    ) from error
  return found


def _identities(videos, folder, table):
  """{path: identity}."""
  if not table:
    parts = {path: path.relative_to(folder).parts for path in videos}
    return {
      path: each[0] if len(each) > 1 else path.stem
      for path, each in parts.items()
    }
  given = _read_identities(table)
  identities, used = {}, set()
  for path in videos:
    names = sorted(_names(path, folder) & set(given))
    if len({given[name] for name in names}) != 1:
      raise UserError(
        f'--identities: {table} gives {path.relative_to(folder)} no identity'
        ' or several; write one line for each video'
      )
    identities[path] = given[names[0]]
    used.update(names)
  _check_known('identities', given, used)
  return identities


def _copies(paths) -> dict[pathlib.Path, pathlib.Path]:
  """{copy: the first file of the same content}."""
  by_size = {}
  for path in paths:
    by_size.setdefault(path.stat().st_size, []).append(path)
  originals, copies = {}, {}
  for size, same in by_size.items():
    for path in same if size and len(same) > 1 else ():
      with path.open('rb') as file:
        digest = hashlib.file_digest(file, 'sha256').digest()
      first = originals.setdefault((size, digest), path)
      if first is not path:
        copies[path] = first
  return copies


def _without_copies(paths, identities, test_identities):
  """Omits copies: they would count as two people, or leak into a test."""
  copies = _copies(paths)
  for copy, first in copies.items():
    tested = {identities[path] in test_identities for path in (copy, first)}
    if len(tested) > 1:
      raise UserError(
        f'--test_identities: {first} and {copy} are the same video, of'
        f' {identities[first]} and {identities[copy]}; name both or neither'
      )
    logging.warning('%s: omitted, because it is a copy of %s', copy, first)
  return [path for path in paths if path not in copies]


def list_jobs(options: VideoFolderOptions) -> list[Job]:
  """The selected videos, sorted by path.

  Raises:
    UserError: the folder does not exist or has no videos, or a name matches
      no video.
  """
  folder, videos = _videos_below(options.source)
  names = {path: _names(path, folder) for path in videos}
  known = set().union(*names.values())
  _check_known('exclude', options.exclude, known)
  _check_known('only', options.only, known)
  chosen = [
    path
    for path in videos
    if not names[path] & set(options.exclude)
    and (not options.only or names[path] & set(options.only))
  ]
  if not chosen:
    raise UserError('--exclude, --only: no video is left; select at least one')
  identities = _identities(videos, folder, options.identities)
  present = {identities[path] for path in chosen}
  _check_known('test_identities', options.test_identities, present)
  chosen = _without_copies(chosen, identities, options.test_identities)
  return [
    Job(
      (str(path),),
      path.relative_to(folder).as_posix(),
      identities[path],
      'test' if identities[path] in options.test_identities else 'train',
    )
    for path in chosen
  ]


class VideoFolder(VideoBuilder):
  """Builds `video_folder`; `options` is a `VideoFolderOptions`."""

  options_class = VideoFolderOptions

  def list_jobs(self) -> list[Job]:
    return list_jobs(self.options)
