"""The pipeline's suite reads what is on disk, and leaves nothing there."""

import pytest

from flaxheads.data.pipeline import make_source
from tests import tiny_game
from tests.benchmark import pipeline, sizes, suites


@pytest.fixture(autouse=True)
def faces(monkeypatch):
  """Noise in place of rendered heads, whose renderer compiles."""

  def make_clip(seed, identity, num_frames, side):
    del seed, identity
    return tiny_game.make_faces(num_frames, size=side)

  monkeypatch.setattr(pipeline, 'make_clip', make_clip)


def test_files_hold_the_bytes_of_the_records():
  folder = pipeline.Folder(64)
  try:
    source = make_source('clips', folder.root, 'train')
    assert len(source) == len(list(folder.files.iterdir())) == 8
    for index, record in enumerate(source):
      files = sorted((folder.files / str(index)).glob('*.jpg'))
      assert [f.read_bytes() for f in files] == list(record['frames'])
      assert len(files) == 64
  finally:
    folder.close()
  assert not folder.root.exists()


def test_batches_are_counted_after_the_buffers_are_empty():
  read = []

  def batches():
    while True:
      read.append(None)
      yield

  program = pipeline.timed('a', batches())
  assert program.time() > 0
  assert len(read) == 6 + pipeline.NUM_BATCHES


def test_the_suite_has_a_row():
  (row,), tried = suites.SUITES['pipeline'](sizes.find('tiny', 2), {}, iter)
  assert not tried
  assert row.case == '192 samples, 64², K = 1'
  assert row.samples == 192 and row.cost is None
  assert row.timing.median > 0
