"""What a run reports is complete, and cannot end the run."""

import errno
import json
import logging
import threading
from typing import NamedTuple

from tensorboardX import event_file_writer

from flaxheads.config import Config
from flaxheads.training.monitor import Monitor


class _Metrics(NamedTuple):
  content: float


def test_a_full_disk_loses_curves_and_not_the_run(
  tmp_path, monkeypatch, caplog
):
  def full(*_):
    raise OSError(errno.ENOSPC, 'No space left on device')

  escaped = []
  monkeypatch.setattr(threading, 'excepthook', escaped.append)
  monitor = Monitor(str(tmp_path), Config())
  writer = event_file_writer.EventsWriter
  monkeypatch.setattr(writer, '_write_serialized_event', full)

  def run():
    for step in range(30):  # more than tensorboardX's queue holds
      monitor.log(step, _Metrics(float(step)))
    monitor.close()

  thread = threading.Thread(target=run, daemon=True)
  thread.start()
  thread.join(60)
  assert not thread.is_alive() and not escaped
  assert caplog.text.count('curves are lost (No space left on device)') == 1


def test_scalars_and_config_are_written(tmp_path):
  monitor = Monitor(str(tmp_path), Config())
  monitor.log(1, _Metrics(0.5))
  monitor.close()
  (events,) = (tmp_path / 'tensorboard').iterdir()
  written = events.read_bytes()
  assert b'content' in written
  assert b'"num_support"' in written  # the config, as text


def _lines(folder):
  text = (folder / 'metrics.jsonl').read_text()
  return [json.loads(line) for line in text.splitlines()]


def test_a_resumed_run_replaces_the_lines_that_it_repeats(tmp_path):
  first = Monitor(str(tmp_path), Config())
  for step in (1, 2, 3):
    first.log(step, _Metrics(step / 2))
  first.close()
  with (tmp_path / 'metrics.jsonl').open('a') as file:
    file.write('{"step": 4, "con')  # a crash while writing
  resumed = Monitor(str(tmp_path), Config(), start=2)
  resumed.log(3, _Metrics(9.0))
  resumed.close()
  assert [line['step'] for line in _lines(tmp_path)] == [1, 2, 3]
  assert [line['content'] for line in _lines(tmp_path)] == [0.5, 1.0, 9.0]


def test_without_a_terminal_the_log_has_a_line_per_step(
  tmp_path, monkeypatch, caplog
):
  config = Config()
  monitor = Monitor(str(tmp_path), config)
  monkeypatch.setattr('sys.stderr.isatty', lambda: False, raising=False)
  # Other tests run commands, which set the level of absl's logger.
  with caplog.at_level(logging.INFO), caplog.at_level(logging.INFO, 'absl'):
    monitor.log(5, _Metrics(0.25))
  monitor.close()
  steps = config.training.num_steps
  assert f'step 5 of {steps}: content 0.25' in caplog.messages
