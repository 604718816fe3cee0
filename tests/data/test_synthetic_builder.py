"""The builder of synthetic heads: splits by people, exact points."""

import numpy as np
import pytest

from flaxheads.data import pipeline, records, synthetic_heads
from flaxheads.data.preparation import report
from flaxheads.data.synthetic_heads import builder as heads
from flaxheads.errors import UserError


def _head(
  seed, identity_index, num_frames, image_size, motion_index=0, fps=25.0
):
  del fps
  rng = np.random.default_rng([seed, identity_index, motion_index])
  shape = (num_frames, image_size, image_size, 3)
  frames = np.full(shape, identity_index * 20, np.uint8)
  points = rng.uniform(0, image_size, (num_frames, 68, 2)).astype(np.float32)
  return frames, points


def test_synthetic_heads_test_people_are_others(tmp_path, monkeypatch):
  monkeypatch.setattr(synthetic_heads, 'make_clip', _head)
  options = heads.SyntheticHeadsOptions(
    num_identities=3,
    num_test_identities=2,
    clips_per_identity=2,
    num_frames=4,
    num_test_frames=5,
    image_size=64,
    seed=7,
  )
  seen = []
  builder = heads.SyntheticHeads(options=options, data_dir=tmp_path)
  folder = report.build(builder, on_outcome=seen.append)
  made = report.read_report(folder)
  assert len(seen) == options.num_clips() == made['kept'] == 10
  people = {}
  for split, count in (('train', 6), ('test', 4)):
    source = pipeline.make_source('synthetic_heads', tmp_path, split)
    assert len(source) == count
    people[split] = set()
    for index in range(count):
      record = source[index]
      identity, clip = records.text(record['video_id']).split('/')
      assert identity == records.text(record['identity_id'])
      person = int(identity.removeprefix('head_'))
      people[split].add(person)
      length = 5 if split == 'test' else 4
      frames, points = _head(7, person, length, 64, int(clip))
      np.testing.assert_array_equal(record['points'], points)
      decoded, _ = records.decode_frames(record, range(length), 64)
      assert np.abs(decoded.astype(int) - frames).max() < 3
  assert people == {'train': {0, 1, 2}, 'test': {3, 4}}


def test_rendered_heads_come_back_with_their_points(tmp_path):
  options = heads.SyntheticHeadsOptions(
    num_identities=1,
    num_test_identities=0,
    clips_per_identity=1,
    num_frames=2,
    image_size=64,
  )
  builder = heads.SyntheticHeads(options=options, data_dir=tmp_path)
  report.build(builder)
  source = pipeline.make_source('synthetic_heads', tmp_path, 'train')
  frames, points = synthetic_heads.make_clip(0, 0, 2, 64, 0)
  np.testing.assert_array_equal(source[0]['points'], points)
  decoded, _ = records.decode_frames(source[0], range(2), 64)
  assert np.abs(decoded.astype(int) - frames).mean() < 5  # JPEG
  with pytest.raises(UserError, match="no split 'test'"):
    pipeline.make_source('synthetic_heads', tmp_path, 'test')
