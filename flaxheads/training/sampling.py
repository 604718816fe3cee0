"""Sample pictures of a run: the same people, drawn again and again."""

import jax
import jax.numpy as jnp
import numpy as np

from flaxheads.data.pipeline import Batch
from flaxheads.landmarks.draw import draw_landmarks
from flaxheads.models import spectral
from flaxheads.training import networks as nets
from flaxheads.training.step import to_float, to_uint8

_MAX_PEOPLE = 8


def make_sampler(networks: nets.Networks, batch: Batch):
  """A function that draws the targets of a fixed batch.

  Args:
    networks: Networks.
    batch: whose first eight people are drawn.

  Returns:
    (params, vectors) of E and G -> uint8 [rows * H, 4 * W, 3]: a support
    frame, the landmark image, x̂ and x of each person.
  """
  batch = Batch(*(np.asarray(leaf[:_MAX_PEOPLE]) for leaf in batch))

  @jax.jit
  def draw(params, vectors):
    frames = to_float(batch.frames)
    pictures = draw_landmarks(batch.points, networks.embedder.image_size)
    normal = {
      name: spectral.normalize(
        params[name], spectral.power_iteration(params[name], vectors[name], 3)
      )
      for name in ('embedder', 'generator')
    }
    embedding = nets.embed_people(
      networks, normal['embedder'], frames[:, :-1], pictures[:, :-1]
    )
    fake = nets.generate(
      networks, normal['generator'], pictures[:, -1], embedding=embedding
    )
    row = [frames[:, 0], pictures[:, -1], fake, frames[:, -1]]
    sheet = to_uint8(jnp.concatenate(row, axis=2))  # [B, H, 4W, 3]
    return sheet.reshape(-1, *sheet.shape[2:])

  return lambda params, vectors: np.asarray(draw(params, vectors))
