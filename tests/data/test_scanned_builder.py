"""The builder of scanned heads: interruption, splits, families."""

import hashlib

import numpy as np
import pytest

from flaxheads.data import pipeline, records
from flaxheads.data.preparation import report
from flaxheads.data.scanned_heads import builder
from flaxheads.data.scanned_heads import clip as clip_lib

OPTIONS = {
  'num_identities': 2,
  'num_test_identities': 2,
  'clips_per_identity': 2,
  'num_frames': 3,
  'num_test_frames': 2,
  'image_size': 64,
}


class Renderer:
  """Instead of make_clip; raises at call number `broken`."""

  def __init__(self, broken=None):
    self.calls, self.broken = [], broken

  def __call__(
    self, assets, seed, person, num_frames, side, *, motion_index, fps, family
  ):
    del assets, fps
    self.calls.append((person, motion_index))
    if len(self.calls) - 1 == self.broken:
      raise KeyboardInterrupt
    name = repr((seed, person, motion_index, family)).encode()
    rng = np.random.default_rng(list(hashlib.sha256(name).digest()))
    frames = rng.integers(0, 256, (num_frames, side, side, 3), np.uint8)
    points = rng.uniform(0, side, (num_frames, 68, 2)).astype(np.float32)
    return frames, points


def _build(folder, monkeypatch, renderer, **options):
  monkeypatch.setattr(clip_lib, 'make_clip', renderer)
  options = builder.ScannedHeadsOptions(**{**OPTIONS, **options})
  seen = []
  made = builder.ScannedHeads(options=options, data_dir=folder)
  report.build(made, on_outcome=seen.append)
  return seen


def _records(folder, split):
  source = pipeline.make_source('scanned_heads', folder, split)
  made = {}
  for index in range(len(source)):
    record = source[index]
    made[records.text(record['video_id'])] = record
  return made


def test_an_interrupted_preparation_resumes_with_equal_records(
  tmp_path, monkeypatch
):
  whole = Renderer()
  _build(tmp_path / 'whole', monkeypatch, whole)
  assert len(whole.calls) == 8
  broken = Renderer(broken=3)
  with pytest.raises(KeyboardInterrupt):
    _build(tmp_path / 'broken', monkeypatch, broken)
  assert pipeline.find_dataset('scanned_heads', tmp_path / 'broken') is None
  rest = Renderer()
  seen = _build(tmp_path / 'broken', monkeypatch, rest)
  assert rest.calls == whole.calls[3:]  # finished clips are not repeated
  assert len(seen) == 8  # but counted
  for split, num_frames in (('train', 3), ('test', 2)):
    one, other = (_records(tmp_path / f, split) for f in ('whole', 'broken'))
    assert sorted(one) == sorted(other) and len(one) == 4
    for name, record in one.items():
      assert record['num_frames'] == num_frames
      np.testing.assert_array_equal(record['points'], other[name]['points'])
      assert list(record['frames']) == list(other[name]['frames'])
  reports = [
    report.read_report(next((tmp_path / f).glob('*/1.0.0')))
    for f in ('whole', 'broken')
  ]
  assert reports[0] == reports[1]
  assert not list(tmp_path.glob('*/*/unfinished'))


def test_other_options_do_not_take_clips_that_differ(tmp_path, monkeypatch):
  with pytest.raises(KeyboardInterrupt):
    _build(tmp_path, monkeypatch, Renderer(broken=6))
  # Six clips are finished; those of 'train' have another length now.
  rest = Renderer()
  _build(tmp_path, monkeypatch, rest, num_frames=4)
  assert len(rest.calls) == 6
  assert all(r['num_frames'] == 4 for r in _records(tmp_path, 'train').values())


def test_the_records_say_which_family_they_are_of(tmp_path, monkeypatch):
  _build(tmp_path, monkeypatch, Renderer(), family='ict')
  found = _records(tmp_path, 'test')
  assert len(found) == 4
  assert all(name.startswith('ict_2') for name in found)
  made = builder.ScannedHeads(
    options=builder.ScannedHeadsOptions(family='ict'), data_dir=tmp_path
  )
  assert 'family ict' in made.info.description
  folder = next(tmp_path.glob('*/1.0.0'))
  assert report.read_report(folder)['options']['family'] == 'ict'
