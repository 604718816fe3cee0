"""Tells the training on all workers to save and end; the TPU stays.

python -m launch.tpu.stop --name=heads --zone=us-west4-a
"""

from launch import app
from launch.tpu import _flags, _remote

_TPU = _flags.tpu_flags()


def main():
  """Stops."""
  tpu = _TPU()
  tpu.ssh(_remote.stop())
  if not tpu.dry_run:
    print(f'{tpu.name}: stopped; the TPU is still there, and still costs')


if __name__ == '__main__':
  app.run(main)
