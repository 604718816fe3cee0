"""Progress bars and logs on stderr."""

import logging as std_logging
import os
import sys

from absl import flags, logging
from tqdm import tqdm

import flaxheads

from ._messages import say


class _Bar(tqdm):
  """A bar that ends its line if it was ever displayed.

  A warning displays all bars again below itself, also those that are younger
  than their `delay`. `tqdm.close` treats these as never displayed, and the next
  message would continue their line.
  """

  _was_displayed = False

  def display(self, *args, **kwargs):
    self._was_displayed = True
    return super().display(*args, **kwargs)

  def close(self):
    if self._was_displayed:
      self.delay = 0
    super().close()


def progress_bar(*args, **kwargs) -> tqdm:
  """A tqdm bar that is not shown for short work.

  Where stderr is no terminal it is updated every 30 seconds.

  Args:
    *args: of tqdm.
    **kwargs: of tqdm.
  """
  interval = 0.1 if sys.stderr.isatty() else 30
  return _Bar(*args, **{'delay': 1, 'mininterval': interval, **kwargs})


class _PlainHandler(std_logging.Handler):
  """Prints warnings in the form of the command's own messages."""

  def emit(self, record):
    with tqdm.external_write_mode(sys.stderr):  # clears and redraws bars
      say(f'{record.levelname.lower()}: {record.getMessage()}')


def _is_own_or_warning(record: std_logging.LogRecord) -> bool:
  here = os.path.dirname(os.path.abspath(__file__))
  own = (*flaxheads.__path__, here)
  return record.levelno > std_logging.INFO or record.pathname.startswith(own)


def _set_handler(handler: std_logging.Handler) -> None:
  for old in list(std_logging.root.handlers):
    if isinstance(old, _PlainHandler) or old is logging.get_absl_handler():
      std_logging.root.removeHandler(old)
  std_logging.root.addHandler(handler)


def log_warnings_only() -> None:
  """Hides INFO messages, unless --verbosity is given."""
  logging.use_absl_handler()
  logging.get_absl_handler().removeFilter(_is_own_or_warning)
  if not flags.FLAGS['verbosity'].present:
    logging.set_verbosity(logging.WARNING)
    _set_handler(_PlainHandler())


def log_info() -> None:
  """Shows this project's INFO messages with their time, for long runs.

  Those of libraries stay hidden. --verbosity, if given, decides instead.
  """
  if flags.FLAGS['verbosity'].present:
    return
  logging.get_absl_handler().addFilter(_is_own_or_warning)
  logging.set_verbosity(logging.INFO)
  _set_handler(logging.get_absl_handler())
