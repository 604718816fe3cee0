"""SFace and dlib's network tell the people of real clips apart.

Needs FLAXHEADS_REAL_CLIPS, a folder with clips/, and `make weights`. Takes six
frames of every clip in which exactly one face is found, a clip for an identity,
aligns the faces and compares all pairs of frames. Wanted: a balanced accuracy
of 99 % or more at the best threshold, for either network. Six minutes on two
busy CPU cores. Nothing is kept.
"""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from flaxheads.data.video import VideoReader
from flaxheads.errors import UserError
from flaxheads.landmarks.detect import make_detector
from flaxheads.metrics import identity, networks
from launch import app

_FRAMES = 6  # of each clip
_WANTED = 0.99
_NETWORKS = {'sface': identity.ARCFACE, 'dlib_resnet': identity.DLIB}


class Verification(NamedTuple):
  """How well cosines of pairs say whether two faces are of one person.

  Attributes:
    same: mean cosine of pairs of one person.
    different: the same of two people.
    accuracy: mean of both kinds' shares that the best threshold gets right.
    threshold: that cosine.
  """

  same: float
  different: float
  accuracy: float
  threshold: float


def verify(embeddings: np.ndarray, people: np.ndarray) -> Verification:
  """Compares all pairs.

  Args:
    embeddings: float [N, D].
    people: int [N], whose face it is.
  """
  first, second = np.triu_indices(len(people), 1)
  cosines = identity.cosine_similarity(embeddings[first], embeddings[second])
  same = people[first] == people[second]
  low, high = np.sort(cosines[same]), np.sort(cosines[~same])
  # Shares below each cosine, of either kind.
  missed = np.searchsorted(low, cosines) / len(low)
  refused = np.searchsorted(high, cosines) / len(high)
  accuracy = (1 - missed + refused) / 2
  best = accuracy.argmax()
  return Verification(
    low.mean(), high.mean(), accuracy[best], float(cosines[best])
  )


def _faces(path: Path, detect):
  """Frames and points of those that hold one face, spread over the clip."""
  frames = [frame.image for frame in VideoReader(path)]
  chosen = np.linspace(0, len(frames) - 1, _FRAMES).astype(int)
  for index in chosen:
    found = detect(frames[index])
    if len(found) == 1:
      yield frames[index], found[0].points


def main():
  """Prints the figures of both networks, and fails if one is too low."""
  folder = os.environ.get('FLAXHEADS_REAL_CLIPS')
  if not folder:
    raise UserError('FLAXHEADS_REAL_CLIPS is not set: a folder with clips/')
  loaded = {name: networks.load_network(name) for name in _NETWORKS}
  detect = make_detector(often=True)
  aligned, people = {n: [] for n in _NETWORKS}, []
  clips = sorted(Path(folder, 'clips').glob('*.mp4'))
  for person, clip in enumerate(clips):
    for frame, points in _faces(clip, detect):
      people.append(person)
      for name, template in _NETWORKS.items():
        face = identity.align(frame[None], points[None], template)
        aligned[name].append(face[0])
  people = np.array(people)
  print(f'{len(people)} faces of {len(set(people))} clips')
  for name, network in loaded.items():
    found = verify(network(np.stack(aligned[name])), people)
    print(
      f'{name}: cosine of the same person {found.same:.2f}, of others'
      f' {found.different:.2f}; balanced accuracy'
      f' {100 * found.accuracy:.1f} % at {found.threshold:.2f}'
    )
    assert found.accuracy >= _WANTED, name


if __name__ == '__main__':
  app.run(main)
