"""Keeps MediaPipe's start messages off the terminal, and nothing else.

They come from C++ on the file descriptor, whatever the log level asked for.
"""

import contextlib
import os
import re
import sys
import tempfile

# What MediaPipe 0.10.21 says on every start, from C++ or protobuf.
_CHATTER = re.compile(
  rb"'MessageFactory' object has no attribute 'GetPrototype'"
  rb'|Created TensorFlow Lite XNNPACK delegate|GL version:'
  rb'|All log messages before absl::InitializeLog'
  rb'|inference_feedback_manager.cc|landmark_projection_calculator.cc'
)


@contextlib.contextmanager
def quiet():
  """Holds back what is written to stderr, then passes on all but chatter."""
  sys.stderr.flush()
  try:
    saved = os.dup(2)
  except OSError:  # no stderr to keep clean
    yield
    return
  with tempfile.TemporaryFile() as held:
    os.dup2(held.fileno(), 2)
    try:
      yield
    finally:
      sys.stderr.flush()
      os.dup2(saved, 2)
      os.close(saved)
      held.seek(0)
      for line in held:
        if not _CHATTER.search(line):
          os.write(2, line)
