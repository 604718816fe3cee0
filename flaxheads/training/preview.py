"""Previews: what a run generates for a fixed batch of people."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from flaxheads import networks as nets
from flaxheads.data.batch import Batch
from flaxheads.data.pixels import to_float, to_uint8
from flaxheads.landmarks.rasterise import rasterise_landmarks
from flaxheads.models import spectral
from flaxheads.quick_jit import quick_jit
from flaxheads.training import separation

MAX_PEOPLE = 8


class Preview(NamedTuple):
  """What a run makes of the preview batch.

  Attributes:
    sheet: uint8 [H, W, 3], a row for each person.
    error: the best checkpoint is that with the least.
    scalars: named floats.
  """

  sheet: np.ndarray
  error: float
  scalars: dict[str, float]


def _spread(x):
  return jnp.std(x, (1, 2)).mean()


def _variety(x):
  return jnp.abs(x - jnp.roll(x, 1, 0)).mean()


def _clipped(x):
  return (jnp.abs(x) > 0.98).mean()


def preview_batch(batch: Batch) -> Batch:
  """The first eight people of a batch, on the host."""
  return Batch(*(np.asarray(leaf[:MAX_PEOPLE]) for leaf in batch))


def make_preview(generate: Callable, batch: Batch) -> Callable:
  """A function that generates the targets of one batch.

  Args:
    generate: pure, (trained, frames [B, K+1, H, W, 3] in [-1, 1], landmark
      images alike) -> x̂ of the last frame of each, [B, H, W, 3], and further
      scalars by name.
    batch: its first eight people are taken; the same on every process.

  Returns:
    trained -> Preview. All processes must call it. The sheet has a support
    frame, the landmark image, x̂ and x of each person; the error is l1. The
    scalars:
    people/l1: mean |x̂ - x|, in [0, 2].
    people/contrast: of x̂, its standard deviation over that of x.
    people/variety: mean difference between the x̂ of two, over that of the x.
    people/clipped: share of the values of x̂ near -1 or 1, less that of x.
  """
  batch = preview_batch(batch)

  def compute(trained, batch):
    frames = to_float(batch.frames)
    landmark_images = rasterise_landmarks(batch.points, frames.shape[2])
    fake, more = generate(trained, frames, landmark_images)
    real = frames[:, -1]
    row = [frames[:, 0], landmark_images[:, -1], fake, real]
    sheet = to_uint8(jnp.concatenate(row, axis=2))  # [B, H, 4W, 3]
    tiny = 1e-6
    l1 = jnp.abs(fake - real).mean()
    scalars = {
      'people/l1': l1,
      'people/contrast': _spread(fake) / (_spread(real) + tiny),
      'people/variety': (_variety(fake) + tiny) / (_variety(real) + tiny),
      'people/clipped': _clipped(fake) - _clipped(real),
    }
    return Preview(sheet.reshape(-1, *sheet.shape[2:]), l1, scalars | more)

  compute = quick_jit(compute, 'once')
  return lambda trained: jax.device_get(compute(trained, batch))


def make_model_preview(networks: nets.Networks, batch: Batch) -> Callable:
  """What E and G make of one batch, and whether D recognises the person.

  Args:
    networks: Networks.
    batch: see `make_preview`.

  Returns:
    TrainState -> Preview. All processes must call it. One more scalar,
    people/embedding_margin: mean of D(x, y, ê_i) - D(x, y, ê_j) over real
    frames x of person i and the other people j.
  """

  def generate(trained, frames, landmark_images):
    params, vectors = trained
    normal = {
      name: spectral.normalize(
        params[name], spectral.power_iteration(params[name], vectors[name], 3)
      )
      for name in nets.NETWORKS
    }
    embedding = nets.embed_people(
      networks, normal['embedder'], frames[:, :-1], landmark_images[:, :-1]
    )
    fake = nets.generate(
      networks, normal['generator'], landmark_images[:, -1], embedding=embedding
    )
    output = nets.discriminate(
      networks,
      normal['discriminator'],
      frames[:, -1],
      landmark_images[:, -1],
      embedding,
    )
    different = ~jnp.eye(len(embedding), dtype=bool)
    total, count = separation.margins(
      output.vector, embedding, embedding, different
    )
    margin = total / jnp.maximum(count, 1)
    return fake, {'people/embedding_margin': margin}

  preview = make_preview(generate, batch)

  def of_state(state):
    params = {**state.ema, 'discriminator': state.params['discriminator']}
    return preview((params, state.spectral))

  return of_state
