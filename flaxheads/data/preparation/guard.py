"""Runs jobs in a subprocess with limits on time and memory.

Decoders are large C libraries, and files may be malicious: a file that breaks a
decoder must cost that file alone. The subprocess returns JSON and the bytes of
a record; nothing that it sends is unpickled.
"""

import base64
import json
import multiprocessing
import os
import resource
import threading
from multiprocessing import connection

from flaxheads.data.preparation.job import (
  Job,
  Options,
  Outcome,
  PageImage,
  job_from_json,
)

MAX_MEMORY = 2 << 30  # bytes beyond what the process starts with
_START_SECONDS = (
  600.0  # it compiles the face finder, on a machine that may be busy
)


def encode_outcome(outcome: Outcome) -> dict:
  """An Outcome as a JSON object."""
  images = [
    {**p._asdict(), 'jpeg': base64.b64encode(p.jpeg).decode()}
    for p in outcome.images
  ]
  return {**outcome._asdict(), 'images': images}


def decode_outcome(value: dict) -> Outcome:
  """The Outcome of `encode_outcome`'s JSON."""
  images = tuple(
    PageImage(p['group'], p['name'], base64.b64decode(p['jpeg']))
    for p in value['images']
  )
  return Outcome(**{**value, 'images': images})


def exit_with_parent() -> None:
  """Ends this process when its parent has ended, for any reason."""
  parent = multiprocessing.parent_process()

  def wait():
    connection.wait([parent.sentinel])
    os._exit(1)

  threading.Thread(target=wait, daemon=True).start()


def _limit_memory():
  with open('/proc/self/statm') as file:
    data = int(file.read().split()[5]) * resource.getpagesize()
  _, hard = resource.getrlimit(resource.RLIMIT_DATA)
  resource.setrlimit(resource.RLIMIT_DATA, (data + MAX_MEMORY, hard))


def _serve(channel, options):
  """Processes jobs until killed; runs in the subprocess."""
  import cv2  # late: the parent does not need them

  from flaxheads.data import records
  from flaxheads.data.preparation.process import process
  from flaxheads.landmarks import face_finder
  from flaxheads.landmarks.detect import make_detector

  exit_with_parent()
  cv2.setNumThreads(1)
  detector = make_detector(often=True)
  face_finder.warm_up()  # compilation needs memory beyond the limit
  features = records.features()
  if os.path.exists('/proc/self/statm'):
    _limit_memory()
  channel.send_bytes(b'ready')
  while True:
    job = job_from_json(json.loads(channel.recv_bytes()))
    record, outcome = process(job, options, detector)
    channel.send_bytes(json.dumps(encode_outcome(outcome)).encode())
    data = b'' if record is None else features.serialize_example(record)
    channel.send_bytes(data)


class Worker:
  """A subprocess that makes records of jobs; restarted if it dies."""

  def __init__(self, options: Options):
    """Args: options: how; the process starts with the first job."""
    self._options = options
    self._process = None

  def _start(self):
    context = multiprocessing.get_context('spawn')
    self._channel, theirs = context.Pipe()
    self._process = context.Process(
      target=_serve, args=(theirs, self._options), daemon=True
    )
    self._process.start()
    theirs.close()
    if not self._channel.poll(_START_SECONDS):
      self.close()
      raise RuntimeError('a preparation process did not start')
    self._channel.recv_bytes()

  def __call__(self, job: Job) -> tuple[bytes, Outcome]:
    """(serialised record or b'', Outcome); does not raise for a bad file."""
    if self._process is None:
      self._start()
    try:
      self._channel.send_bytes(json.dumps(job).encode())
      if not self._channel.poll(self._options.max_seconds):
        self.close()
        limit = f'{self._options.max_seconds:g}'
        return b'', _dropped(job, f'takes more than {limit} s of work')
      outcome = decode_outcome(json.loads(self._channel.recv_bytes()))
      return self._channel.recv_bytes(), outcome
    except (EOFError, OSError):
      self._process.join(10)
      code = self._process.exitcode
      self.close()
      return b'', _dropped(job, f'breaks the decoder (exit code {code})')

  def close(self) -> None:
    """Ends the process."""
    if self._process is not None:
      self._process.kill()
      self._process.join()
      self._channel.close()
      self._process = None


def _dropped(job, reason):
  return Outcome(job.video_id, job.identity_id, job.split, reason=reason)
