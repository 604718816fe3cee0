"""Finished work on disk, so that an interrupted preparation resumes.

A shard is a few jobs. Its name is a hash of everything that its result depends
on. Its outcomes are written last, so a shard with outcomes is complete.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from typing import NamedTuple

from array_record.python import array_record_module
from etils import epath

from flaxheads.data.preparation.guard import decode_outcome, encode_outcome
from flaxheads.data.preparation.job import (
  Job,
  Options,
  Outcome,
  job_from_json,
)

# To be raised when a change alters the records of the same videos.
VERSION = 1
_MAX_SHARDS = 1024  # of VoxCeleb2: 142 videos and 70 MB in each


class Shard(NamedTuple):
  """Jobs that are processed together."""

  name: str
  jobs: tuple[Job, ...]
  num_bytes: int  # of their files


def _facts(job):
  """What the result of a job depends on, and the bytes of its files."""
  stats = [epath.Path(path).stat() for path in job.paths]
  facts = [*job, [(stat.length, stat.mtime) for stat in stats]]
  return facts, sum(stat.length for stat in stats)


def plan(jobs: list[Job], options: Options) -> list[Shard]:
  """Shards of all jobs, the largest first.

  Args:
    jobs: all.
    options: how they are done.
  """
  ordered = sorted(
    jobs, key=lambda job: hashlib.sha256(job.video_id.encode()).digest()
  )
  size = -(-len(ordered) // _MAX_SHARDS)
  shards = []
  for first in range(0, len(ordered), size):
    chosen = tuple(ordered[first : first + size])
    facts, num_bytes = zip(*map(_facts, chosen), strict=True)
    what = json.dumps([VERSION, repr(options), facts])
    name = hashlib.sha256(what.encode()).hexdigest()[:32]
    shards.append(Shard(name, chosen, sum(num_bytes)))
  return sorted(shards, key=lambda shard: -shard.num_bytes)


def to_json(shard: Shard) -> str:
  """A shard as text, which every Beam runner can transfer."""
  return json.dumps(shard)


def from_json(text: str) -> Shard:
  """The shard of `to_json`."""
  name, jobs, num_bytes = json.loads(text)
  return Shard(name, tuple(map(job_from_json, jobs)), num_bytes)


def _paths(folder, shard):
  folder = epath.Path(folder)
  return folder / f'{shard.name}.records', folder / f'{shard.name}.json'


def is_done(folder, shard: Shard) -> bool:
  """Whether the shard is finished."""
  return _paths(folder, shard)[1].exists()


def write(folder, shard: Shard, worker, on_outcome) -> None:
  """Processes the jobs of a shard.

  Args:
    folder: of unfinished work.
    shard: which.
    worker: job -> (serialised record or b'', Outcome).
    on_outcome: called after every job.
  """
  records_path, outcomes_path = _paths(folder, shard)
  outcomes = []
  with tempfile.TemporaryDirectory() as local:
    local = epath.Path(local)
    writer = array_record_module.ArrayRecordWriter(
      os.fspath(local / 'records'), 'group_size:1'
    )
    for job in shard.jobs:
      record, outcome = worker(job)
      if record:
        writer.write(record)
      outcomes.append(outcome)
      on_outcome(outcome)
    writer.close()
    (local / 'outcomes').write_text(
      json.dumps([*map(encode_outcome, outcomes)])
    )
    _publish(local / 'records', records_path)
    _publish(local / 'outcomes', outcomes_path)


def _publish(local, path):
  """Copies a file so that its destination is complete or absent."""
  part = path.with_name(f'{path.name}.part')
  local.copy(part, overwrite=True)
  part.replace(path)


def read_outcomes(folder, shard: Shard) -> list[Outcome]:
  """Outcomes of a finished shard, in the order of its jobs."""
  listed = json.loads(_paths(folder, shard)[1].read_text())
  return [*map(decode_outcome, listed)]


def read_records(
  folder, shard: Shard, split: str
) -> Iterator[tuple[Outcome, bytes]]:
  """(outcome, serialised record) of the kept videos of a split in a shard.

  Args:
    folder: of unfinished work.
    shard: which; finished.
    split: records of others are not read.
  """
  kept = [o for o in read_outcomes(folder, shard) if o.num_frames]
  if all(outcome.split != split for outcome in kept):
    return
  reader = array_record_module.ArrayRecordReader(
    os.fspath(_paths(folder, shard)[0])
  )
  try:
    for index, outcome in enumerate(kept):
      if outcome.split == split:
        yield outcome, reader.read([index])[0]
  finally:
    reader.close()
