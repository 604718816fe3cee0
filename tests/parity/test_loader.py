"""The DataLoader of the reference reads what our pipeline reads."""

import contextlib

import numpy as np
import pytest

pytest.importorskip('torch', reason='PyTorch parity: make parity')

from flaxheads.data import records
from flaxheads.data.pipeline import make_source
from tests.benchmark import pipeline, remote
from tests.benchmark.reference import loader


@pytest.fixture(scope='module')
def folder():
  with contextlib.closing(pipeline.Folder(64)) as made:
    yield made


def test_the_decoders_give_our_images(folder):
  record = make_source('clips', folder.root, 'train')[0]
  frames, _ = records.decode_frames(record, [0, 1], 64)
  paths = [str(folder.files / '0' / f'{i:02d}.jpg') for i in (0, 1)]
  name, decode = loader._fastest(paths)
  assert name in loader._DECODERS
  for path, ours in zip(paths, frames, strict=True):
    theirs = decode(path).numpy()
    if theirs.shape[0] == 3:
      theirs = theirs.transpose(1, 2, 0)
    assert np.abs(theirs.astype(int) - ours).mean() < 1


@pytest.mark.parametrize('workers', [0, 1])
def test_batches_are_read_with_and_without_a_worker(folder, workers):
  program = remote.program(loader.read, folder.files, workers, 8)
  assert f'{workers} workers' in program.name
  assert 0 < program.time() < 60
