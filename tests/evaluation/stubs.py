"""Evaluators without a trained network, whose answers are known."""

from typing import NamedTuple

import numpy as np

from flaxheads.baselines.nearest import nearest
from flaxheads.evaluation.evaluators import Critic, Detection, Evaluators
from flaxheads.metrics.networks import MetricNetwork


def darken(frames, points, drivers):
  """A second method, which costs nothing: the nearest frame at half level."""
  return nearest(frames, points, drivers) // 2


class Face(NamedTuple):
  """A detected face."""

  points: np.ndarray


def _means(x):
  """[-1, 1] frames [B, H, W, 3] -> means of 2x2 parts, [B, 12] in [0, 1]."""
  b, h, w, _ = x.shape
  parts = x[:, : h // 2 * 2, : w // 2 * 2].reshape(b, 2, h // 2, 2, w // 2, 3)
  return (parts.mean((2, 4)).reshape(b, 12) + 1) / 2


def inception(mark='', digest='i'):
  """Features are the mean colours of the four quarters."""
  return MetricNetwork('inception', '', _means, mark, digest)


def arcface(mark='', digest='a'):
  """An embedding of 512 is the mean colours of the quarters, repeated."""
  return MetricNetwork(
    'arcface_r50',
    f'arcface_r50: {mark}' if mark else '',
    lambda x: np.tile(_means(x), 43)[:, :512] + 0.01,
    mark,
    digest,
  )


def lpips(mark='', digest='l'):
  """The distance is the mean absolute difference of [0, 1] frames."""
  return MetricNetwork(
    'lpips_alex', '', lambda a, b: np.abs(a - b).mean((1, 2, 3)) / 2, mark,
    digest,
  )  # fmt: skip


def critic(digest='c'):
  """Scores are mean levels, less that of the person's frames."""
  return Critic(
    digest,
    lambda frames, points: frames.mean(),
    lambda known, frames, points: frames.mean((1, 2, 3)) - known,
  )


def detection(find):
  """A detector of one face, or none: `find` gives its points, or None."""

  def detect(picture):
    points = find(picture)
    return [] if points is None else [Face(points)]

  return Detection('stub', detect)


def everything(find, **marks):
  """All evaluators; `marks` are of the networks, by name."""
  return Evaluators(
    detection(find),
    inception(marks.get('inception', '')),
    arcface(marks.get('arcface', '')),
    lpips(marks.get('lpips', '')),
    critic(),
  )
