"""A model's discriminator as a judge of frames."""

import functools
from collections.abc import Callable

import jax
import numpy as np

from flaxheads import networks as nets
from flaxheads.data.pixels import to_float
from flaxheads.fewshot.model import Model
from flaxheads.fewshot.person import check_frames, embed_person
from flaxheads.landmarks.rasterise import rasterise_landmarks

_BATCH = 16


@functools.lru_cache(maxsize=8)
def _scorer(networks: nets.Networks):
  @jax.jit
  def score(params, frames, points, embedding):
    pictures = rasterise_landmarks(points, networks.embedder.image_size)
    rows = embedding[None].repeat(frames.shape[0], 0)
    return nets.discriminate(
      networks, params, to_float(frames), pictures, rows
    ).score

  return score


def make_judge(model: Model) -> tuple[Callable, Callable]:
  """Two functions that together say how real frames of a person look.

  Args:
    model: trained with L_MCH, so that ê can stand for a row of W.

  Returns:
    embed: (frames uint8 [T, S, S, 3], points [T, 68, 2]) -> ê, float32 [N].
    score: (ê, frames uint8 [F, S, S, 3], points [F, 68, 2]) -> float32 [F],
      D's score, unbounded; it means nothing beside another model's.
  """
  judge = _scorer(model.networks)

  def embed(frames, points):
    return embed_person(model, frames, points)[0]

  def score(embedding, frames, points):
    check_frames(model.config, frames, points)
    points = np.asarray(points, np.float32)
    scores = []
    for start in range(0, len(frames), _BATCH):  # one size compiles once
      index = np.arange(start, start + _BATCH).clip(max=len(frames) - 1)
      found = judge(
        model.normal['discriminator'], frames[index], points[index], embedding
      )
      scores.append(np.asarray(found)[: len(frames) - start])
    return np.concatenate(scores)

  return embed, score
