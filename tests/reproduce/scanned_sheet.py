"""The sheet of rendered people in docs/data.md: 24 people of scanned_heads.

Each person is from the test split, with a light, place, camera, pose and
expression of its own. They are the first 24, not a selection. Needs the
published files and OpenGL, see docs/data.md.
"""

import cv2
from absl import flags

from flaxheads.data.scanned_heads import assets, clip
from launch import app

_ASSETS = flags.DEFINE_string('assets', '', 'Folder of the published files.')
_OUTPUT = flags.DEFINE_string('output', 'docs/scanned_heads.jpg', 'To write.')
_FIRST = 1_000_000  # of the test split
_ROWS, _COLUMNS, _SIDE = 4, 6, 160


def main():
  """Renders."""
  files = assets.open_assets(_ASSETS.value)
  people = range(_FIRST, _FIRST + _ROWS * _COLUMNS)
  frames = [clip.make_clip(files, 0, i, 1, _SIDE)[0][0] for i in people]
  rows = [
    cv2.hconcat(frames[k : k + _COLUMNS])
    for k in range(0, len(frames), _COLUMNS)
  ]
  sheet = cv2.cvtColor(cv2.vconcat(rows), cv2.COLOR_RGB2BGR)
  cv2.imwrite(_OUTPUT.value, sheet, [cv2.IMWRITE_JPEG_QUALITY, 88])
  print(_OUTPUT.value)


if __name__ == '__main__':
  app.run(main)
