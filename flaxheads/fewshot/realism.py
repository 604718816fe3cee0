"""How real frames of a person are, by the model's own discriminator."""

import functools
from collections.abc import Callable

import jax
import numpy as np

from flaxheads import networks as nets
from flaxheads.data.pixels import to_float
from flaxheads.fewshot.direct import check_frames, embed_person
from flaxheads.fewshot.model import Model
from flaxheads.landmarks.rasterise import rasterise_landmarks

_BATCH = 16


@functools.lru_cache(maxsize=8)
def _scorer(networks: nets.Networks):
  @jax.jit
  def score(params, frames, points, embedding):
    landmark_images = rasterise_landmarks(points, networks.embedder.image_size)
    rows = embedding[None].repeat(frames.shape[0], 0)
    return nets.discriminate(
      networks, params, to_float(frames), landmark_images, rows
    ).score

  return score


def make_realism_scorer(model: Model) -> tuple[Callable, Callable]:
  """Makes two functions that together score how real a person's frames are.

  Args:
    model: trained with L_MCH, so that ê can stand for a row of W.

  Returns:
    embed: (frames uint8 [T, S, S, 3], points [T, 68, 2]) -> ê, float32 [N].
    score: (ê, frames uint8 [F, S, S, 3], points [F, 68, 2]) -> float32 [F],
      D's score, unbounded; scores of different models do not compare.
  """
  discriminate = _scorer(model.networks)

  def embed(frames, points):
    return embed_person(model, frames, points)[0]

  def score(embedding, frames, points):
    check_frames(model.config, frames, points)
    points = np.asarray(points, np.float32)
    scores = []
    for start in range(0, len(frames), _BATCH):  # one size compiles once
      index = np.arange(start, start + _BATCH).clip(max=len(frames) - 1)
      found = discriminate(
        model.normal['discriminator'], frames[index], points[index], embedding
      )
      scores.append(np.asarray(found)[: len(frames) - start])
    return np.concatenate(scores)

  return embed, score
