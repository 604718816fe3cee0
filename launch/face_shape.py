"""Regenerates the face statistics of flaxheads/landmarks from synthetic heads.

python -m launch.face_shape --output=flaxheads/landmarks/face_shape.json

Needed only where the shape of the synthetic heads has changed.
"""

import json

from absl import flags

from flaxheads.data.output_files import atomic_path

from . import app

_OUTPUT = flags.DEFINE_string('output', None, 'JSON file to write.')

_DIGITS = 4  # behind the point, of centimetres


def main():
  """Samples people and writes their statistics."""
  app.check_given(_OUTPUT)
  from flaxheads.data.synthetic_heads import statistics

  arrays = statistics.shape_statistics()
  lines = [
    f'"{name}": {json.dumps(array.astype(float).round(_DIGITS).tolist())}'
    for name, array in arrays.items()
  ]
  with atomic_path(_OUTPUT.value) as temporary:
    temporary.write_text('{' + ',\n'.join(lines) + '}\n')
  print(f'{_OUTPUT.value}: from {statistics.NUM_PEOPLE} people')


if __name__ == '__main__':
  app.run(main)
