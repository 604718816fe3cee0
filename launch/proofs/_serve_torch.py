"""PyTorch's side of pipeline_speed: FOLDER WORKERS BATCH CORE.

The folder holds a folder for each video, with its frames as JPEG files and
points.npy. Of the JPEG decoders at hand the fastest here is taken.
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch

from launch.proofs import _served

NUM_SUPPORT = 8


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


def _fastest(paths):
  """(seconds, name, decoder) of the decoder that is done first."""
  timed = []
  for name, make in _DECODERS.items():
    try:
      decode = make()
    except (ImportError, RuntimeError):  # not installed, or built for another
      continue
    decode(paths[0])
    began = time.perf_counter()
    for path in paths:
      decode(path)
    timed.append((time.perf_counter() - began, name, decode))
  return min(timed, key=lambda each: each[0])


class _Videos(torch.utils.data.Dataset):
  """K+1 random frames of a video, with their points."""

  def __init__(self, videos, decode):
    self._videos, self._decode = videos, decode

  def __len__(self):
    return len(self._videos)

  def __getitem__(self, index):
    folder, frames = self._videos[index]
    drawn = np.random.default_rng().choice(
      len(frames), NUM_SUPPORT + 1, replace=False
    )
    pictures = torch.stack([self._decode(frames[i]) for i in drawn])
    points = np.load(f'{folder}/points.npy', allow_pickle=False)[drawn]
    return pictures, torch.from_numpy(points), index


def _serve(folder, workers, batch_size, core):
  _served.pin(int(core))
  torch.set_num_threads(1)
  videos = [
    (str(video), sorted(map(str, video.glob('*.jpg'))))
    for video in sorted(Path(folder).iterdir())
  ]
  paths = [path for _, frames in videos for path in frames][:200]
  _, name, decode = _fastest(paths)
  dataset = _Videos(videos, decode)
  loader = torch.utils.data.DataLoader(
    dataset,
    batch_size=int(batch_size),
    num_workers=int(workers),
    sampler=torch.utils.data.RandomSampler(
      dataset, replacement=True, num_samples=10**7
    ),
  )
  mean = float(decode(videos[0][1][0]).float().mean())
  facts = {'decoder': name, 'mean': mean, 'torch': torch.__version__}
  _served.serve(iter(loader), facts, warm_up=6)


if __name__ == '__main__':
  _serve(*sys.argv[1:])
