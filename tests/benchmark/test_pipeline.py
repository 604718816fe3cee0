"""The pipeline's suite reads what is on disk, and leaves nothing there."""

from flaxheads.data.pipeline import make_source
from tests.benchmark import pipeline, sizes, suites


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
  assert 0 < program.time() < 1
  assert len(read) == 6 + pipeline.NUM_BATCHES


def test_the_suite_has_a_row():
  (row,), tried = suites.SUITES['pipeline'](sizes.find('tiny', 2), {}, iter)
  assert not tried
  assert row.case == '192 samples, 64², K = 1'
  assert row.samples == 192 and row.cost is None
  assert 0 < row.timing.median < 60
