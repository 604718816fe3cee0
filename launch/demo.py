r"""Serves a page that animates photographs.

  python -m launch.demo
  python -m launch.demo --model=models/mine --port=8000

It listens on this machine only. What visitors upload is kept in a temporary
folder, and deleted within a minute after they close the page, and when the
server stops.
"""

import os
import signal
import tempfile
import threading
from pathlib import Path

from absl import flags

from flaxheads.errors import UserError, check_range
from flaxheads.web.limits import Limits

from . import _config_flags, _mark_flags, app

_MODEL = flags.DEFINE_string(
  'model',
  None,
  'Folder of a bi-layer model. Default: the shipped one. none: the head mesh '
  'alone.',
)
_HOST = flags.DEFINE_string(
  'host',
  '127.0.0.1',
  'Address to listen on. Any other than the default opens the page to others.',
)
_PORT = flags.DEFINE_integer('port', 7860, 'Port to listen on.')
_NAME = flags.DEFINE_string(
  'public_name', '', 'Host name under which a proxy serves the page.'
)
_config_flags.define_config('limits', Limits(), 'Limits for a visitor.')
flags.adopt_module_key_flags(_mark_flags)  # for --help


def main():
  """Serves until SIGTERM (exit code 0) or Ctrl-C (exit code 130)."""
  check_range('--port', _PORT.value, 1, 65535)
  signer = _mark_flags.signer()
  limits = _config_flags.override('limits', Limits())
  stopped = threading.Event()
  signal.signal(signal.SIGTERM, lambda signum, frame: stopped.set())
  code = app.DONE
  with tempfile.TemporaryDirectory(prefix='flaxheads-page-') as folder:
    from flaxheads.fewshot.model import choose_bilayer_model
    from flaxheads.web import server
    from flaxheads.web.settings import Settings

    model = choose_bilayer_model(_MODEL.value)
    settings = Settings(model, limits, Path(folder), signer)
    try:
      page = server.open_page(settings, _HOST.value, _PORT.value, _NAME.value)
    except OSError as error:
      raise UserError(
        f'--port={_PORT.value}: cannot listen there ({error}); give another'
      ) from None
    print(f'http://{_HOST.value}:{_PORT.value} (Ctrl-C ends it)', flush=True)
    if _HOST.value not in ('127.0.0.1', 'localhost', '::1'):
      print('Others who reach this address can use the page, too.', flush=True)
    try:
      stopped.wait()
    except KeyboardInterrupt:
      app.ended()
      app.say('interrupted')
      code = app.INTERRUPTED
    finally:
      page.close()
  # XLA may still compile or compute in a daemon thread. If the interpreter
  # shut down below it, C++ would abort the process with SIGABRT.
  os._exit(code)


if __name__ == '__main__':
  app.run(main)
