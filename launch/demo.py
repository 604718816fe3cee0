r"""Serves a page to try everything on: pictures, driver, fine-tuning, video.

  python -m launch.demo
  python -m launch.demo --model=models/mine --port=8000

It listens on this machine alone. Pictures and videos that are given to it are
kept in a temporary folder, and deleted when their visitor leaves and when the
page ends. Needs gradio: pip install 'gradio>=6'.
"""

import logging
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path

from absl import flags

from flaxheads.config import FinetuneConfig
from flaxheads.errors import UserError, check_range
from flaxheads.web.limits import Limits

from . import _mark_flags, app

_MODEL = flags.DEFINE_string('model', None, 'Model folder; the shipped one.')
_HOST = flags.DEFINE_string(
  'host',
  '127.0.0.1',
  'Address to listen at. Any other than this one opens the page to others.',
)
_PORT = flags.DEFINE_integer('port', 7860, 'Port to listen at.')
app.define_config('limits', Limits(), 'What one visitor may cost.')
app.define_config(
  'finetune', FinetuneConfig(), "Rates and lengths; the model's own."
)
flags.adopt_module_key_flags(_mark_flags)  # for --help


def _import_page():
  # Before gradio is imported, which asks for news of itself.
  os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'
  os.environ['HF_HUB_DISABLE_TELEMETRY'] = '1'
  try:
    from flaxheads.web import page
  except ModuleNotFoundError as error:
    if error.name != 'gradio':
      raise
    raise UserError(
      f"gradio is missing; run: {sys.executable} -m pip install 'gradio>=6'"
    ) from None
  # One line for every request otherwise.
  logging.getLogger('httpx').setLevel(logging.WARNING)
  return page


def _end(signum, frame):
  raise SystemExit(app.DONE)


def main():
  """Serves."""
  check_range('--port', _PORT.value, 1, 65535)
  signer = _mark_flags.signer()
  with tempfile.TemporaryDirectory(prefix='flaxheads-page-') as name:
    os.environ['GRADIO_TEMP_DIR'] = name
    signal.signal(signal.SIGTERM, _end)
    page = _import_page()
    from flaxheads.fewshot.model import load_direct_model
    from flaxheads.web.settings import Settings

    model = load_direct_model(_MODEL.value)
    finetuning = app.config_with_flags('finetune', model.experiment.finetune)
    limits = app.config_with_flags('limits', Limits())
    settings = Settings(model, finetuning, limits, Path(name), signer)
    built = page.build(settings)
    try:
      page.serve(built, _HOST.value, _PORT.value, settings)
    except OSError as error:
      raise UserError(
        f'--port={_PORT.value}: nobody can listen there ({error}); give another'
      ) from None
    print(f'http://{_HOST.value}:{_PORT.value} (Ctrl-C ends it)', flush=True)
    if _HOST.value not in ('127.0.0.1', 'localhost', '::1'):
      print('Others who reach this address can use the page, too.', flush=True)
    try:
      threading.Event().wait()
    finally:
      built.close(verbose=False)


if __name__ == '__main__':
  app.run(main)
