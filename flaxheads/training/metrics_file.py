"""The scalars of a run as lines of JSON, for programs that read no TensorBoard.

One line per logged step, `{"step": 100, "generator/content": 1.9, ...}`.
"""

import json

from absl import logging
from etils import epath


class MetricsFile:
  """Appends scalars to a file; a resumed run replaces what it repeats.

  Object stores cannot append. There the whole file is written each time, as
  tensorboardX does with its events.

  Args:
    path: the file.
    start: steps already done; later lines are of steps that will be repeated.
  """

  def __init__(self, path, start: int = 0):
    self._path, self._warned = epath.Path(path), False
    self._is_remote = '://' in str(path)
    self._text = ''
    if self._path.exists():
      lines = self._path.read_text().splitlines()
      self._text = ''.join(
        f'{line}\n' for line in lines if _step_of(line) <= start
      )
    self._write(self._text)

  def write(self, step: int, scalars: dict[str, float]) -> None:
    """Adds the scalars of a step; a full disk costs the line, not the run."""
    line = json.dumps({'step': step, **scalars}) + '\n'
    if self._is_remote:
      self._text += line
      self._write(self._text)
    else:
      self._write(line, mode='a')

  def _write(self, text, mode='w'):
    try:
      with self._path.open(mode) as file:
        file.write(text)
    except OSError as error:
      if not self._warned:
        logging.warning('%s: lines are lost (%s)', self._path, error.strerror)
      self._warned = True


def _step_of(line: str) -> float:
  """The step of a line; infinity if the line was cut off by a crash."""
  try:
    return json.loads(line)['step']
  except (ValueError, KeyError, TypeError):
    return float('inf')
