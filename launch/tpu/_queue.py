"""Waiting for a queued resource, and asking for a lost one again."""

import time

from flaxheads.errors import RunFailedError

# cloud.google.com/tpu/docs/queued-resources; CREATING and DELETING are in the
# reference of the API (projects.locations.queuedResources, State).
ACTIVE = 'ACTIVE'
UNDER_WAY = (
  'STATE_UNSPECIFIED',
  'CREATING',
  'ACCEPTED',
  'WAITING_FOR_RESOURCES',
  'PROVISIONING',
  'SUSPENDING',
  'DELETING',
)
LOST_NODE = (None, 'PREEMPTED', 'TERMINATED')
_LONGEST_PAUSE = 16  # times the first


class OutOfTimeError(RunFailedError):
  """Nothing came within --wait_hours."""


def _state(resource):
  return (resource or {}).get('state', {}).get('state')


def _reason(resource):
  """What Google says of a failure, in brackets; '' if nothing."""
  details = (resource or {}).get('state', {})
  message = details.get('failedData', {}).get('error', {}).get('message')
  return f' ({message})' if message else ''


def settle(tpu, patience):
  """Waits while the queued resource is under way.

  Args:
    tpu: the Tpu.
    patience: of _flags.

  Returns:
    The queued resource, ACTIVE, FAILED or SUSPENDED; None if there is none.

  Raises:
    OutOfTimeError: if it takes longer than the patience.
  """
  start = time.monotonic()
  pause = patience.poll_seconds
  while True:
    resource = tpu.describe_request()
    state = _state(resource)
    if state not in UNDER_WAY:
      return resource
    waited = time.monotonic() - start
    if waited + pause > patience.hours * 3600:
      raise OutOfTimeError(
        f'--wait_hours: {tpu.name} is {state} after {waited / 3600:.1f} hours;'
        ' the request stays in the queue'
      )
    print(
      f'{tpu.name}: {state} for {waited / 60:.0f} min;'
      f' next look in {pause:.0f} s',
      flush=True,
    )
    time.sleep(pause)
    pause = min(2 * pause, _LONGEST_PAUSE * patience.poll_seconds)


def wait_until_active(tpu, patience) -> None:
  """Returns when the TPU is there; RunFailedError if it does not come."""
  resource = settle(tpu, patience)
  if _state(resource) != ACTIVE:
    raise RunFailedError(
      f'{tpu.name}: the request is {_state(resource) or "gone"}'
      f'{_reason(resource)}'
    )


def bring_back(tpu, request, patience) -> bool:
  """Sees to it that the TPU is there.

  Args:
    tpu: the Tpu.
    request: what is asked for if it is not.
    patience: of _flags.

  Returns:
    Whether it is a new one.
  """
  resource = settle(tpu, patience)
  state = _state(resource)
  if state == ACTIVE:
    node = (tpu.describe_node() or {}).get('state')
    if node == 'READY':
      return False
    if node not in LOST_NODE:
      raise RunFailedError(f'{tpu.name}: the TPU is {node}; try again later')
    state = node or 'without its TPU'
  if resource is not None:
    print(f'{tpu.name}: {state}{_reason(resource)}; asking anew', flush=True)
    tpu.delete()
  else:
    print(f'{tpu.name}: there is none; asking for it', flush=True)
  tpu.create(request)
  wait_until_active(tpu, patience)
  return True
