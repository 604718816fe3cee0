"""Installs one revision of the code on all workers, or another one over it.

python -m launch.tpu.install --name=heads --zone=us-west4-a
"""

from launch import app
from launch.tpu import _flags

_TPU = _flags.tpu_flags()
_INSTALL = _flags.code_flags()


def main():
  """Installs."""
  tpu, script = _TPU(), _INSTALL()
  if not tpu.dry_run:
    print(f'{tpu.name}: installing on all workers, some minutes', flush=True)
  print(tpu.ssh(script), end='')


if __name__ == '__main__':
  app.run(main)
