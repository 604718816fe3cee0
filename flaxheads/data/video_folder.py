"""A folder of videos as a data set."""

import dataclasses
import pathlib

from flaxheads.data import beam_build, video
from flaxheads.errors import UserError, check_range


@dataclasses.dataclass(frozen=True)
class VideoFolderOptions(beam_build.VideoOptions):
  """Which videos; names are file names without suffix, or paths below source.

  The folder directly below `source` names the identity, or the file itself
  where it lies directly in `source`.
  """

  source: str = ''
  exclude: tuple[str, ...] = ()  # leave these videos out
  only: tuple[str, ...] = ()  # take only these videos; empty: all
  test_identities: tuple[str, ...] = ()  # these people form the split 'test'

  def __post_init__(self):
    check_range('max_frames', self.max_frames, 2, 1024)
    check_range('min_frames', self.min_frames, 2, self.max_frames)
    check_range('image_size', self.image_size, 16, 1024)


def _videos_below(source):
  folder = pathlib.Path(source).expanduser()
  if not source or not folder.is_dir():
    raise UserError(
      f'--source: {source!r} is not a folder; name one with videos in it'
    )
  videos = sorted(
    path
    for path in folder.rglob('*')
    if path.suffix.lower() in video.EXTENSIONS
    and path.is_file()
    and not path.name.startswith('.')
  )
  if not videos:
    looked_for = ', '.join(sorted(video.EXTENSIONS))
    raise UserError(f'--source: no videos below {source}, none of {looked_for}')
  return folder, videos


def _check_known(flag, names, known):
  # A misspelt name must not leave a test person among the training videos.
  unknown = sorted(set(names) - known)
  if unknown:
    raise UserError(f'--{flag}: nothing below --source is named {unknown[0]!r}')


def list_jobs(options: VideoFolderOptions) -> list[beam_build.VideoJob]:
  """The videos that the options ask for, sorted by path.

  Raises:
    UserError: no such folder, no videos, or a name that fits none.
  """
  folder, videos = _videos_below(options.source)
  names = {}  # path -> the names a user may give it
  identities = {}
  for path in videos:
    relative = path.relative_to(folder)
    names[path] = {
      path.stem,
      relative.as_posix(),
      str(relative.with_suffix('')),
    }
    top = relative.parts[0] if len(relative.parts) > 1 else path.stem
    identities[path] = top
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
    raise UserError('--exclude, --only: together they leave no video')
  present = {identities[path] for path in chosen}
  _check_known('test_identities', options.test_identities, present)
  return [
    beam_build.VideoJob(
      path=str(path),
      video_id=path.relative_to(folder).as_posix(),
      identity_id=identities[path],
      split='test' if identities[path] in options.test_identities else 'train',
    )
    for path in chosen
  ]


class VideoFolder(beam_build.VideoBuilder):
  """Builds `video_folder`; `options` is a `VideoFolderOptions`."""

  def jobs(self) -> list[beam_build.VideoJob]:
    return list_jobs(self.options)
