"""Generates frames by X2Face: a driver moves the face embedded from T frames.

It is feed-forward: nothing is trained on the T frames (Zakharov et al. 2019,
section 4, recalled). Their embedded faces are averaged by confidence, as in
the published code.
"""

import functools
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from flaxheads.baselines.folder import TrainedBaseline
from flaxheads.baselines.x2face.network import build_network
from flaxheads.data.pixels import to_float, to_uint8
from flaxheads.quick_jit import quick_jit

_BATCH = 8  # drivers at once


def make_render(trained: TrainedBaseline, seed: int) -> Callable:
  """The `render` of a method that is driven by frames.

  Args:
    trained: X2Face.
    seed: not used; nothing is random.

  Returns:
    See flaxheads.evaluation.protocol.Method.
  """
  del seed
  network = build_network(trained.config.model)

  @functools.partial(quick_jit, runs='once')
  def embed(variables, frames):
    sources = to_float(frames)[None]  # [1, T, S, S, 3]
    return network.apply(variables, sources, method='embed').face

  @functools.partial(quick_jit, runs='some')
  def drive(variables, face, frames):
    faces = jnp.broadcast_to(face, frames.shape)
    generated = network.apply(
      variables, faces, to_float(frames), method='drive'
    )
    return to_uint8(generated)

  def render(frames, points, drivers):
    del points  # it is not told where the face is
    face = embed(trained.variables, frames)
    shown, count = drivers.frames, len(drivers.frames)
    full = np.concatenate([shown, shown[-1:].repeat(-count % _BATCH, 0)])
    parts = full.reshape(-1, _BATCH, *full.shape[1:])  # one size to compile
    generated = [drive(trained.variables, face, part) for part in parts]
    return np.concatenate(generated)[:count]

  return render
