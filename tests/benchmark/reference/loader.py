"""A DataLoader over the frames of videos as JPEG files."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from tests.benchmark import clock, pipeline

_TRIED = 200  # pictures, to find the quickest decoder


def _with_torchvision():
  from torchvision.io import decode_jpeg, read_file

  return lambda path: decode_jpeg(read_file(path))


def _with_opencv():
  import cv2

  def decode(path):
    bgr = cv2.imread(path, cv2.IMREAD_COLOR)
    return torch.from_numpy(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))

  return decode


def _with_pillow():
  from PIL import Image

  return lambda path: torch.from_numpy(np.array(Image.open(path)))


_DECODERS = {
  'torchvision': _with_torchvision,
  'OpenCV': _with_opencv,
  'Pillow': _with_pillow,
}


def _fastest(paths) -> tuple[str, Callable]:
  """Name and function of the decoder that is done first."""
  timings = []
  for name, make in _DECODERS.items():
    try:
      decode = make()
    except (ImportError, RuntimeError):  # not installed, or built for another
      continue
    decode(paths[0])
    began = time.perf_counter()
    for path in paths:
      decode(path)
    timings.append((time.perf_counter() - began, name, decode))
  _, name, decode = min(timings, key=lambda each: each[0])
  return name, decode


class _Videos(torch.utils.data.Dataset):
  """K + 1 random frames of a video, with their points."""

  def __init__(self, videos, decode, count):
    self._videos, self._decode, self._count = videos, decode, count

  def __len__(self):
    return len(self._videos)

  def __getitem__(self, index):
    folder, frames = self._videos[index]
    drawn = np.random.default_rng().choice(
      len(frames), self._count, replace=False
    )
    pictures = torch.stack([self._decode(frames[i]) for i in drawn])
    points = np.load(folder / 'points.npy', allow_pickle=False)[drawn]
    return pictures, torch.from_numpy(points), index


def read(folder: Path, workers: int, num_support: int) -> clock.Program:
  """Batches on one core, with the quickest JPEG decoder at hand.

  Args:
    folder: holds a folder for each video: JPEG files and points.npy.
    workers: processes that read; 0: this one.
    num_support: K.
  """
  pipeline.pin()
  torch.set_num_threads(1)
  videos = [
    (video, sorted(map(str, video.glob('*.jpg'))))
    for video in sorted(folder.iterdir())
  ]
  paths = [path for _, frames in videos for path in frames][:_TRIED]
  decoder, decode = _fastest(paths)
  dataset = _Videos(videos, decode, num_support + 1)
  endless = torch.utils.data.RandomSampler(
    dataset, replacement=True, num_samples=10**7
  )
  batches = torch.utils.data.DataLoader(
    dataset,
    pipeline.BATCH,
    num_workers=workers,
    sampler=endless,
    multiprocessing_context='fork' if workers else None,  # PyTorch's default
  )
  name = f'DataLoader, {workers} workers, {decoder}'
  return pipeline.timed(name, iter(batches))
