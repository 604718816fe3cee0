"""Makes what flaxheads/landmarks knows of faces anew, from synthetic heads.

python -m launch.face_shape --output=flaxheads/landmarks/face_shape.safetensors

Needed only where the shape of the synthetic heads has changed.
"""

from absl import flags

from flaxheads.data.files import atomic_path
from launch import app

_OUTPUT = flags.DEFINE_string('output', None, 'The safetensors file to write.')


def main():
  """Samples people and writes their statistics."""
  app.check_given(_OUTPUT)
  from safetensors.numpy import save_file

  from flaxheads.data.synthetic_heads import statistics

  arrays = statistics.shape_statistics()
  with atomic_path(_OUTPUT.value) as temporary:
    save_file(arrays, temporary)
  print(f'{_OUTPUT.value}: from {statistics.NUM_PEOPLE} people')


if __name__ == '__main__':
  app.run(main)
