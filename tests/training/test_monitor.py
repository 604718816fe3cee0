"""What a run shows cannot end the run."""

import errno
import threading
from typing import NamedTuple

from tensorboardX import event_file_writer

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
  monitor = Monitor(str(tmp_path), batch_size=1)
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


def test_curves_are_written(tmp_path):
  monitor = Monitor(str(tmp_path), batch_size=1)
  monitor.log(1, _Metrics(0.5))
  monitor.close()
  (events,) = (tmp_path / 'tensorboard').iterdir()
  assert b'content' in events.read_bytes()
