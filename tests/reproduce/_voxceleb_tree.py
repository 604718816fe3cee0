"""A tree of videos as VoxCeleb2 is published, of synthetic heads.

Long clips are cut into utterances of 224 x 224 pixels, each with its text file
of boxes; a tenth of the files is broken, each in a way that people meet.
"""

from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from flaxheads.data.synthetic_heads import make_clip
from flaxheads.data.video_writer import VideoWriter

_SIDE = 224  # pixels, as published
_FPS = 25
_RENDERED = 128  # pixels
_SEED = 404
NUM_IDENTITIES, NUM_TEST = 20, 4
_VIDEOS, _UTTERANCES, _FRAMES = 2, 5, 12  # of an identity, a video, a file


def _enlarge(frame):
  return cv2.resize(frame, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC)


def _encode(path, frames):
  with VideoWriter(path, _FPS) as writer:
    for frame in frames:
      writer.write(np.ascontiguousarray(frame))


def _blank(path, frames):
  _encode(path, [np.full_like(frame, 16) for frame in frames])


def _blurred(path, frames):
  _encode(path, [cv2.GaussianBlur(frame, (0, 0), 5) for frame in frames])


def _tiny(path, frames):
  def shrink(frame):
    room = np.full_like(frame, 128)
    room[80:144, 80:144] = cv2.resize(frame, (64, 64))
    return room

  _encode(path, map(shrink, frames))


def _cropped(path, frames):
  _encode(
    path,
    [np.roll(f, 90, 1) * (np.arange(224) >= 90)[None, :, None] for f in frames],
  )


def _empty(path, frames):
  del frames
  path.write_bytes(b'')


def _text(path, frames):
  del frames
  path.write_text('this is not a video\n' * 50)


def _truncated(path, frames):
  _encode(path, frames)
  path.write_bytes(path.read_bytes()[:300])


def _flipped(path, frames):
  _encode(path, frames)
  data = bytearray(path.read_bytes())
  data[4:8] = b'moov'
  data[8:200] = bytes(192)
  path.write_bytes(data)


# How a file is broken, and what the report must say of it (a pattern).
BREAKAGES = {
  'blank': (_blank, 'no face'),
  'blurred': (_blurred, 'blurred|no face'),
  'tiny': (_tiny, 'face too small'),
  'cropped': (_cropped, ''),
  'empty': (_empty, 'the file is empty'),
  'text': (_text, 'not a video'),
  'truncated': (_truncated, 'not a video|no video stream'),
  'flipped': (_flipped, 'not a video|no video stream'),
}


def _write_text(path, identity, video, first):
  lines = [
    f'Identity  : \t{identity}',
    f'Reference : \t{video}',
    'Offset    : \t0',
    'FV Conf   : \t20.000\t(1)',
    'ASD Conf  : \t5.000',
    '',
    'FRAME \tX \tY \tW \tH ',
    '',
  ]
  lines += [
    f'{first + i:06d} \t0.300 \t0.200 \t0.400 \t0.500 ' for i in range(_FRAMES)
  ]
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text('\n'.join(lines) + '\n')


def make_tree(folder: Path) -> dict[str, str]:
  """Makes the tree; what is there already is left as it is.

  Args:
    folder: will hold dev and test.

  Returns:
    {path of a broken file below the folder: how it is broken}.
  """
  kinds = list(BREAKAGES)
  broken, number = {}, 0
  for index in tqdm(range(NUM_IDENTITIES), 'making people'):
    part = 'test' if index < NUM_TEST else 'dev'
    identity = f'id{index + 10:05d}'
    for clip in range(_VIDEOS):
      video = f'clip_{index:02d}_{clip}'
      wanted = []
      for utterance in range(_UTTERANCES):
        below = Path(identity) / video / f'{utterance + 1:05d}'
        path = folder / part / 'mp4' / below.with_suffix('.mp4')
        kind = kinds[number // 10 % len(kinds)] if number % 10 == 3 else ''
        if kind:
          broken[path.relative_to(folder).as_posix()] = kind
        number += 1
        wanted.append((path, below, utterance, kind))
      if all(path.exists() for path, *_ in wanted):
        continue
      _make_video(folder / part, index, clip, wanted, identity, video)
  return broken


def _make_video(root, index, clip, wanted, identity, video):
  frames, _ = make_clip(
    _SEED, index, _UTTERANCES * _FRAMES, _RENDERED, motion_index=clip
  )
  frames = [_enlarge(frame) for frame in frames]
  for path, below, utterance, kind in wanted:
    path.parent.mkdir(parents=True, exist_ok=True)
    first = utterance * _FRAMES
    _write_text(
      root / 'txt' / below.with_suffix('.txt'), identity, video, first
    )
    make = BREAKAGES[kind][0] if kind else _encode
    make(path, frames[first : first + _FRAMES])
