"""Initialises a run with the parameters of a model."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from flaxheads.errors import UserError
from flaxheads.models import spectral
from flaxheads.training import parallel
from flaxheads.training.recipe import Recipe
from flaxheads.training.state import TrainState, embedder_and_generator

_POWER_ITERATIONS = 10  # as many as for fresh parameters


class Fit(NamedTuple):
  """What a run takes from a model.

  Attributes:
    params: the run's parameters, those that fit replaced.
    taken: names of the tensors that were replaced.
    left: why each of the other tensors, of the run or of the model, was not: a
      line each.
  """

  params: dict
  taken: tuple[str, ...]
  left: tuple[str, ...]


def fit(params: dict, given: dict) -> Fit:
  """Replaces the parameters whose name and shape a model has.

  Args:
    params: nested dict of the run's parameters.
    given: the same of the model.
  """
  flat = traverse_util.flatten_dict(params, sep='/')
  other = traverse_util.flatten_dict(given, sep='/')
  taken, left = [], []
  for name in sorted(set(flat) | set(other)):
    if name not in other:
      left.append(f'{name}: not in the model')
    elif name not in flat:
      left.append(f'{name}: not in the run')
    elif np.shape(flat[name]) != np.shape(other[name]):
      shapes = np.shape(other[name]), np.shape(flat[name])
      left.append(f'{name}: {shapes[0]} in the model, {shapes[1]} in the run')
    else:
      taken.append(name)
      flat[name] = np.asarray(other[name], flat[name].dtype)
  tree = traverse_util.unflatten_dict(flat, sep='/')
  return Fit(tree, tuple(taken), tuple(left))


def begin_from(recipe: Recipe, given: dict, source: str, report) -> Recipe:
  """A recipe whose runs begin with a model's parameters.

  W and the optimisers' states begin afresh. A run that is resumed does not
  begin, and takes nothing.

  Args:
    recipe: of the model or of the bi-layer model.
    given: {'embedder', 'generator', perhaps 'discriminator'} of the model.
    source: its name, for messages.
    report: takes the Fit once a run has begun.

  Returns:
    Recipe. Its `create_state` raises UserError where nothing fits.
  """

  def create_state(num_videos, mesh) -> TrainState:
    state = recipe.create_state(num_videos, mesh)
    found = fit(jax.device_get(state.params), given)
    if not found.taken:
      raise UserError(
        f'--init_from={source}: no tensor has the name and shape of one of the'
        ' run; a model with the same model.* fields fits whole'
      )
    params = parallel.place(found.params, mesh, parallel.REPLICATED)
    advance = jax.jit(
      spectral.power_iteration, static_argnames='num_iterations'
    )
    vectors = {
      name: advance(params[name], old, num_iterations=_POWER_ITERATIONS)
      for name, old in state.spectral.items()
    }
    report(found)
    return state.replace(
      params=params,
      ema=jax.tree.map(jnp.copy, embedder_and_generator(params)),
      spectral=vectors,
    )

  if 'w0' in given.get('discriminator', {}):  # it fits the model's ê
    recipe = recipe._replace(begin=lambda state, batch: state)
  return recipe._replace(create_state=create_state)
