"""The resident memory of a process, as Linux tells it."""

from pathlib import Path


def peak(process: int | str = 'self') -> int | None:
  """The largest so far, in bytes; None where /proc does not say (any more)."""
  try:
    status = Path(f'/proc/{process}/status').read_text()
  except OSError:
    return None
  found = status.partition('VmHWM:')[2].split()
  return int(found[0]) << 10 if found else None
