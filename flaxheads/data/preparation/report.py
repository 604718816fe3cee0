"""Reports of a preparation: counts, reasons, and contact sheets."""

import contextlib
import hashlib
import heapq
import io
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterable

import cv2
import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from flaxheads.data.image import contact_sheet, encode_png
from flaxheads.data.preparation.job import Outcome
from flaxheads.errors import UserError

REPORT = 'report.json'
PAGES = ('kept.png', 'dropped.png')
_COLUMNS = 10  # images in a row of a page
_KEPT_ROWS = 8


def new_tally() -> dict:
  """An empty tally; `add` and `summary` make a report of it."""
  return {
    'splits': {},
    'reasons': {},
    'files': [],
    'frames': {},
    'read': 0,
    'scanned': 0,
  }


def _count(counts, key, number=1):
  counts[key] = counts.get(key, 0) + number


def add(tally: dict, outcome: Outcome, source: str = '') -> dict:
  """Counts one outcome; changes and returns the tally.

  Args:
    tally: of `new_tally`.
    outcome: of one video.
    source: the folder below which its files are named.
  """
  fresh = {'videos': 0, 'frames': 0, 'identities': set(), 'fewest_frames': None}
  split = tally['splits'].setdefault(outcome.split, fresh)
  tally['read'] += outcome.num_read
  tally['scanned'] += outcome.num_scanned
  for reason, count in outcome.frames.items():
    _count(tally['frames'], reason, count)
  for path, reason in outcome.files.items():
    name = os.path.relpath(path, source) if source else path
    if outcome.num_frames or name != outcome.video_id:
      tally['files'].append({'file': name, 'reason': reason})
  if outcome.num_frames:
    fewest = {'video_id': outcome.video_id, 'num_frames': outcome.num_frames}
    split['videos'] += 1
    split['frames'] += outcome.num_frames
    split['identities'].add(outcome.identity_id)
    known = [fewest, split['fewest_frames'] or fewest]
    split['fewest_frames'] = min(
      known, key=lambda each: (each['num_frames'], each['video_id'])
    )
    return tally
  # Reasons are grouped whatever numbers they hold ('3 frames', '5 frames'), but
  # MP4 remains MP4.
  reason = re.sub(r'(?<![A-Z])\d+(\.\d+)?', 'N', outcome.reason)
  _count(tally['reasons'], reason)
  tally['files'].append({'file': outcome.video_id, 'reason': outcome.reason})
  return tally


def summary(tally: dict, dataset: str, options: dict) -> dict:
  """The report of a dataset.

  Args:
    tally: of all outcomes.
    dataset: its name.
    options: of the preparation, as JSON values.

  Returns:
    What goes into report.json: for each split videos, identities, frames and
    the video with the fewest frames; videos dropped by reason; frames left out
    by reason; every file dropped, with its reason.
  """
  splits = {
    name: {**split, 'identities': len(split['identities'])}
    for name, split in sorted(tally['splits'].items())
  }

  def by_number(counts):
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

  return {
    'dataset': dataset,
    'options': options,
    'kept': sum(split['videos'] for split in splits.values()),
    'dropped': sum(tally['reasons'].values()),
    'splits': splits,
    'dropped_by_reason': by_number(tally['reasons']),
    'frames_read': tally['read'],
    'frames_scanned': tally['scanned'],
    'frames_left_out_by_reason': by_number(tally['frames']),
    'dropped_files': sorted(tally['files'], key=lambda each: each['file']),
  }


def write_report(folder, report: dict) -> None:
  """Writes report.json into a folder."""
  path = epath.Path(folder) / REPORT
  path.write_text(json.dumps(report, indent=2) + '\n')


def write_pages(folder, outcomes: Iterable[Outcome]) -> None:
  """Writes contact sheets of kept and dropped frames.

  They show a few frames per reason, the same ones in every call.

  Args:
    folder: for PAGES.
    outcomes: of all videos.
  """
  groups = {}  # {group: heap of (-hash, name, jpeg)}
  for outcome in outcomes:
    for image in outcome.images:
      most = _COLUMNS * (_KEPT_ROWS if image.group == 'kept' else 1)
      digest = hashlib.sha256(f'{image.group} {image.name}'.encode())
      heap = groups.setdefault(image.group, [])
      item = (-int.from_bytes(digest.digest()[:8]), image.name, image.jpeg)
      heapq.heappush(heap, item)
      if len(heap) > most:
        heapq.heappop(heap)
  chosen = {
    group: [_decode(jpeg) for *_, jpeg in sorted(heap, reverse=True)]
    for group, heap in groups.items()
  }
  kept = chosen.pop('kept', [])
  rows = [kept[i : i + _COLUMNS] for i in range(0, len(kept), _COLUMNS)]
  dropped = sorted(chosen)
  for name, page_rows, labels in (
    (PAGES[0], rows, None),
    (PAGES[1], [chosen[reason] for reason in dropped], dropped),
  ):
    if page_rows:
      page = contact_sheet(page_rows, labels)
      (epath.Path(folder) / name).write_bytes(encode_png(page))


def _decode(jpeg):
  bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
  return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def read_report(folder) -> dict:
  """Reads report.json of a folder; empty where there is none."""
  try:
    return json.loads((epath.Path(folder) / REPORT).read_text())
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
  """Calls the callback of `build`, if it runs in this process."""
  for listener in _listeners:
    listener(outcome)


def build(
  builder: tfds.core.DatasetBuilder,
  *,
  on_outcome: Callable[[Outcome], None] = lambda outcome: None,
) -> epath.Path:
  """Makes the dataset, unless it exists already.

  Args:
    builder: of the dataset.
    on_outcome: called after every video, except by workers of a distributed
      runner.

  Returns:
    The folder of the dataset; `report.json` is in it.

  Raises:
    UserError: nothing usable for a split.
  """
  _listeners.append(on_outcome)
  try:
    with contextlib.ExitStack() as stack:
      # tensorflow-datasets prints about downloads and makes a folder for them,
      # although there are none.
      stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
      downloads = stack.enter_context(tempfile.TemporaryDirectory())
      builder.download_and_prepare(download_dir=downloads)
  finally:
    _listeners.remove(on_outcome)
  return epath.Path(builder.data_dir)
