"""What preparing a data set shares: outcomes of videos and their report."""

import contextlib
import io
import json
import pathlib
import re
import tempfile
from collections.abc import Callable, Iterable
from typing import NamedTuple

import tensorflow_datasets as tfds

from flaxheads.errors import UserError

REPORT = 'report.json'
_MAX_FILES = 1000  # dropped files that a report names; all are counted


class Outcome(NamedTuple):
  """What became of one video."""

  video_id: str
  identity_id: str
  split: str
  num_frames: int = 0  # 0: dropped
  reason: str = ''  # why it was dropped


def new_tally() -> dict:
  """An empty tally; `add`, `merge` and `summary` make a report of it."""
  return {'splits': {}, 'reasons': {}, 'files': []}


def _split_of(tally, name):
  fresh = {'videos': 0, 'frames': 0, 'identities': {}, 'fewest_frames': None}
  return tally['splits'].setdefault(name, fresh)


def _fewer(first, second):
  known = [each for each in (first, second) if each]
  return min(
    known, key=lambda each: (each['num_frames'], each['video_id']), default=None
  )


def add(tally: dict, outcome: Outcome) -> dict:
  """Counts one outcome; changes and returns the tally."""
  split = _split_of(tally, outcome.split)
  if outcome.num_frames:
    fewest = {'video_id': outcome.video_id, 'num_frames': outcome.num_frames}
    split['videos'] += 1
    split['frames'] += outcome.num_frames
    split['identities'][outcome.identity_id] = True  # JSON knows no sets
    split['fewest_frames'] = _fewer(split['fewest_frames'], fewest)
    return tally
  # Reasons are grouped whatever numbers they hold: '3 frames', '5 frames'.
  group = re.sub(r'\d+(\.\d+)?', 'N', outcome.reason)
  tally['reasons'][group] = tally['reasons'].get(group, 0) + 1
  file = {'file': outcome.video_id, 'reason': outcome.reason}
  tally['files'] = _first_files([*tally['files'], file])
  return tally


def _first_files(files):
  return sorted(files, key=lambda each: each['file'])[:_MAX_FILES]


def merge(tallies: Iterable[dict]) -> dict:
  """The tally of all outcomes that several tallies have counted."""
  total = new_tally()
  for tally in tallies:
    for name, part in tally['splits'].items():
      split = _split_of(total, name)
      split['videos'] += part['videos']
      split['frames'] += part['frames']
      split['identities'] |= part['identities']
      split['fewest_frames'] = _fewer(
        split['fewest_frames'], part['fewest_frames']
      )
    for reason, count in tally['reasons'].items():
      total['reasons'][reason] = total['reasons'].get(reason, 0) + count
    total['files'] = _first_files([*total['files'], *tally['files']])
  return total


def summary(tally: dict, dataset: str, options: dict) -> dict:
  """The report of a data set.

  Args:
    tally: of all outcomes.
    dataset: its name.
    options: what it was made from, as JSON takes it.

  Returns:
    What goes into report.json: for each split videos, identities, frames and
    the video with the fewest frames; reasons of dropping with their counts,
    and the dropped files (the first thousand by name).
  """
  splits = {
    name: {**split, 'identities': len(split['identities'])}
    for name, split in sorted(tally['splits'].items())
  }
  reasons = sorted(tally['reasons'].items(), key=lambda item: -item[1])
  return {
    'dataset': dataset,
    'options': options,
    'kept': sum(split['videos'] for split in splits.values()),
    'dropped': sum(tally['reasons'].values()),
    'splits': splits,
    'dropped_by_reason': dict(reasons),
    'dropped_files': tally['files'],
  }


def write_report(folder, report: dict) -> None:
  """Writes report.json into a folder."""
  path = pathlib.Path(folder) / REPORT
  path.write_text(json.dumps(report, indent=2) + '\n')


def read_report(folder) -> dict:
  """Reads report.json of a folder; empty where there is none."""
  try:
    return json.loads((pathlib.Path(folder) / REPORT).read_text())
  except (OSError, ValueError):
    return {}


def check_kept(report: dict) -> None:
  """Raises UserError if a split of the report has lost all its videos."""
  for name, split in report.get('splits', {}).items():
    if not split['videos']:
      reasons = '; '.join(
        f'{count} x {reason}'
        for reason, count in report['dropped_by_reason'].items()
      )
      raise UserError(
        f'{report["options"].get("source", report["dataset"])}: nothing usable'
        f' for the split {name!r} ({reasons})'
      )


_listeners: list[Callable[[Outcome], None]] = []


def announce(outcome: Outcome) -> None:
  """Tells the callback of `build`, if it runs in this process."""
  for listener in _listeners:
    listener(outcome)


def build(
  builder: tfds.core.DatasetBuilder,
  *,
  on_outcome: Callable[[Outcome], None] = lambda outcome: None,
  beam_runner=None,
  beam_options=None,
) -> pathlib.Path:
  """Makes the data set, unless it is there already.

  Args:
    builder: of the data set.
    on_outcome: called after every video; what the workers of a distributed
      runner do is not heard.
    beam_runner: of Apache Beam, where the builder needs one.
    beam_options: `PipelineOptions` for it.

  Returns:
    The folder of the data set; `report.json` is in it.

  Raises:
    UserError: nothing usable for a split.
  """
  _listeners.append(on_outcome)
  try:
    with contextlib.ExitStack() as stack:
      # tensorflow-datasets speaks of downloads, and makes a folder for them,
      # although there are none.
      stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
      downloads = stack.enter_context(tempfile.TemporaryDirectory())
      builder.download_and_prepare(
        download_dir=downloads,
        download_config=tfds.download.DownloadConfig(
          beam_runner=beam_runner, beam_options=beam_options
        ),
      )
  finally:
    _listeners.remove(on_outcome)
  return pathlib.Path(builder.data_dir)
