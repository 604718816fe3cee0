r"""The sheets of rendered people in docs/data.md: people of scanned_heads.

python -m tests.reproduce.scanned_sheet --assets=DIR
python -m tests.reproduce.scanned_sheet --assets=DIR --family=ict --rows=2 \
  --output=docs/scanned_heads_ict.jpg

Each person is from the test split, with a light, place, camera, pose and
expression of its own. They are the first, not a selection. Needs the
published files and OpenGL, see docs/data.md.
"""

import cv2
from absl import flags

from flaxheads.data.scanned_heads import assets, builder, clip
from launch import app

_ASSETS = flags.DEFINE_string('assets', '', 'Folder of the published files.')
_OUTPUT = flags.DEFINE_string('output', 'docs/scanned_heads.jpg', 'To write.')
_FAMILY = flags.DEFINE_enum('family', 'makehuman', builder.FAMILIES, 'Whose.')
_ROWS = flags.DEFINE_integer('rows', 4, 'Of six people each.')
_COLUMNS, _SIDE = 6, 160


def main():
  """Renders."""
  files = assets.open_assets(_ASSETS.value)
  options = builder.ScannedHeadsOptions(
    family=_FAMILY.value, num_test_identities=_ROWS.value * _COLUMNS
  )
  frames = [
    clip.make_clip(files, 0, i, 1, _SIDE, family=_FAMILY.value)[0][0]
    for i in options.people()['test']
  ]
  rows = [
    cv2.hconcat(frames[k : k + _COLUMNS])
    for k in range(0, len(frames), _COLUMNS)
  ]
  sheet = cv2.cvtColor(cv2.vconcat(rows), cv2.COLOR_RGB2BGR)
  cv2.imwrite(_OUTPUT.value, sheet, [cv2.IMWRITE_JPEG_QUALITY, 88])
  print(_OUTPUT.value)


if __name__ == '__main__':
  app.run(main)
