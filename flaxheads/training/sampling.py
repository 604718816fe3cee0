"""The same people, drawn again and again: how good a run is by now."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from flaxheads.data.pipeline import Batch
from flaxheads.landmarks.draw import draw_landmarks
from flaxheads.models import spectral
from flaxheads.training import networks as nets
from flaxheads.training.sample import to_float, to_uint8

MAX_PEOPLE = 8


class Look(NamedTuple):
  """The fixed people, drawn by the averaged parameters without fine-tuning.

  Attributes:
    sheet: uint8 [rows * H, 4 * W, 3]: a support frame, the landmark image, x̂
      and x of each person.
    l1: mean |x̂ - x|, in [0, 2]: what the best checkpoint has least of.
    contrast: of x̂, its standard deviation over that of x.
    variety: mean difference between the x̂ of two people, over that of the x.
    clipped: share of the values of x̂ that are nearly -1 or 1, less that of x.
  """

  sheet: np.ndarray
  l1: float
  contrast: float
  variety: float
  clipped: float

  def scalars(self) -> dict[str, float]:
    """All but the sheet, by name."""
    return {
      f'people/{name}': float(value)
      for name, value in self._asdict().items()
      if name != 'sheet'
    }


def _spread(x):
  return jnp.std(x, (1, 2)).mean()


def _variety(x):
  return jnp.abs(x - jnp.roll(x, 1, 0)).mean()


def _clipped(x):
  return (jnp.abs(x) > 0.98).mean()


def make_looker(draw: Callable, batch: Batch) -> Callable:
  """A function that draws the targets of a fixed batch.

  Args:
    draw: pure, (trained, frames [B, K+1, H, W, 3] in [-1, 1], pictures alike)
      -> x̂ of the last frame of each, [B, H, W, 3].
    batch: whose first eight people are drawn, the same on every process.

  Returns:
    trained -> Look. All processes must call it.
  """
  batch = Batch(*(np.asarray(leaf[:MAX_PEOPLE]) for leaf in batch))

  @jax.jit
  def look(trained, batch):
    frames = to_float(batch.frames)
    pictures = draw_landmarks(batch.points, frames.shape[2])
    fake, real = draw(trained, frames, pictures), frames[:, -1]
    row = [frames[:, 0], pictures[:, -1], fake, real]
    sheet = to_uint8(jnp.concatenate(row, axis=2))  # [B, H, 4W, 3]
    tiny = 1e-6
    return Look(
      sheet.reshape(-1, *sheet.shape[2:]),
      jnp.abs(fake - real).mean(),
      _spread(fake) / (_spread(real) + tiny),
      (_variety(fake) + tiny) / (_variety(real) + tiny),
      _clipped(fake) - _clipped(real),
    )

  return lambda trained: jax.device_get(look(trained, batch))


def make_sampler(networks: nets.Networks, batch: Batch) -> Callable:
  """Looks at what E and G make of a fixed batch.

  Args:
    networks: Networks.
    batch: see `make_looker`.

  Returns:
    TrainState -> Look. All processes must call it.
  """

  def draw(trained, frames, pictures):
    params, vectors = trained
    normal = {
      name: spectral.normalize(
        params[name], spectral.power_iteration(params[name], vectors[name], 3)
      )
      for name in ('embedder', 'generator')
    }
    embedding = nets.embed_people(
      networks, normal['embedder'], frames[:, :-1], pictures[:, :-1]
    )
    return nets.generate(
      networks, normal['generator'], pictures[:, -1], embedding=embedding
    )

  look = make_looker(draw, batch)
  return lambda state: look((state.ema, state.spectral))
