"""Shows the log of the training, and follows it until Ctrl-C.

python -m launch.tpu.follow --name=heads --zone=us-west4-a
"""

from absl import flags

from flaxheads.errors import UserError, check_range
from launch import app
from launch.tpu import _flags, _remote

_TPU = _flags.tpu_flags()
_WORKER = flags.DEFINE_string(
  'worker', '0', "Number of a worker; 'all' mixes the logs of all."
)
_LINES = flags.DEFINE_integer('lines', 50, 'Old lines to begin with.')
_FOLLOW = flags.DEFINE_bool('follow', True, 'Wait for new lines.')


def main():
  """Follows."""
  tpu = _TPU()
  check_range('--lines', _LINES.value, low=0)
  if _WORKER.value != 'all' and not _WORKER.value.isdecimal():
    raise UserError(
      f"--worker: {_WORKER.value!r} is neither a number nor 'all'"
    )
  tpu.show(_remote.log(_LINES.value, _FOLLOW.value), _WORKER.value)


if __name__ == '__main__':
  app.run(main)
