"""Deletes a TPU and the request for it; what is on its disks is lost.

python -m launch.tpu.delete --name=heads --zone=us-west4-a
"""

from launch import app
from launch.tpu import _flags

_TPU = _flags.tpu_flags(may_be_unqueued=True)


def main():
  """Deletes."""
  tpu = _TPU()
  tpu.delete()
  if not tpu.dry_run:
    print(f'{tpu.name}: deleted')


if __name__ == '__main__':
  app.run(main)
