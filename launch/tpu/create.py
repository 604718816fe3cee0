r"""Asks for a TPU, spot by default, and waits until it is there.

python -m launch.tpu.create --name=heads --zone=us-west4-a \
  --accelerator_type=v5litepod-8

Waiting can be broken off; the request stays. --wait_hours=0 does not wait.
"""

from launch import app
from launch.tpu import _flags, _queue

_TPU = _flags.tpu_flags(may_be_unqueued=True)
_REQUEST = _flags.request_flags()
_PATIENCE = _flags.patience_flags()


def main():
  """Creates, waits."""
  tpu, request, patience = _TPU(), _REQUEST(), _PATIENCE()
  tpu.create(request)
  if tpu.dry_run:
    if tpu.queued and patience.hours:
      print('# until it is ACTIVE:')
      tpu.describe_request()
    return
  if tpu.queued and patience.hours:
    _queue.wait_until_active(tpu, patience)
  elif tpu.queued:
    print(f'{tpu.name}: asked for')
    return
  print(f'{tpu.name}: {request.accelerator_type} is there, and costs from now')


if __name__ == '__main__':
  app.run(main)
