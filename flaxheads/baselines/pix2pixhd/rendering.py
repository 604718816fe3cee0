"""Generates frames by Pix2pixHD: fine-tunes on T frames, then maps landmarks.

Zakharov et al. 2019 train it on the whole dataset and fine-tune it on the T
frames for as many epochs as their own model (recalled). The last parameters
are kept: there are no validation frames and no early stopping.
"""

import functools
from collections.abc import Callable, Iterator

import jax
import numpy as np

from flaxheads.baselines.folder import TrainedBaseline
from flaxheads.baselines.pix2pixhd import losses, training
from flaxheads.baselines.pix2pixhd import networks as nets
from flaxheads.baselines.pix2pixhd.config import Pix2pixHDConfig
from flaxheads.data.pixels import to_float, to_uint8
from flaxheads.fewshot.finetuning import num_finetuning_steps
from flaxheads.landmarks import host_raster
from flaxheads.quick_jit import quick_jit

_BATCH = 8  # drivers at once


def make_batches(num_frames: int, batch_size: int, rng) -> Iterator:
  """Endless batches of indices int [batch_size].

  Each comes once before any comes again.
  """
  left = np.array([], int)
  while True:
    while len(left) < batch_size:
      left = np.concatenate([left, rng.permutation(num_frames)])
    yield left[:batch_size]
    left = left[batch_size:]


def make_finetune(config: Pix2pixHDConfig) -> Callable:
  """Few-shot fine-tuning of both networks, at the rates of training.

  Args:
    config: of the trained baseline, with the file of its content network.

  Returns:
    (params, frames uint8 [T, S, S, 3], points [T, 68, 2], seed) -> params.
  """
  networks = nets.build_networks(config.model)
  content = losses.build_content(config)

  @jax.jit
  def step(state, frames, landmark_images, content_params):
    found = losses.gradients(
      state.variables,
      frames,
      landmark_images,
      networks=networks,
      content=functools.partial(content.apply, content_params),
      weights=config.loss,
    )
    return training.update(state, found.params, config)

  def finetune(params, frames, points, seed: int = 0) -> dict:
    x = to_float(np.asarray(frames))
    y = host_raster.landmark_images(points, x.shape[1])
    state = training.init_state(config, params)
    size = min(config.finetune.batch_size, len(x))
    batches = make_batches(len(x), size, np.random.default_rng(seed))
    for _ in range(num_finetuning_steps(len(x), config.finetune)):
      batch = next(batches)
      state = step(state, x[batch], y[batch], content.params)
    return state.variables

  return finetune


def make_renderer(config: Pix2pixHDConfig) -> Callable:
  """Renders with given parameters.

  Args:
    config: of the baseline.

  Returns:
    (generator's params, points [F, 68, 2]) -> uint8 [F, S, S, 3].
  """
  size = config.model.image_size
  networks = nets.build_networks(config.model)

  @functools.partial(quick_jit, runs='some')
  def render_batch(params, landmark_images):
    return to_uint8(
      networks.generator.apply({'params': params}, landmark_images)
    )

  def render(params, points):
    count = len(points)
    full = np.concatenate([points, points[-1:].repeat(-count % _BATCH, 0)])
    parts = full.reshape(-1, _BATCH, *full.shape[1:])  # one size to compile
    generated = [
      render_batch(params, host_raster.landmark_images(part, size))
      for part in parts
    ]
    return np.concatenate(generated)[:count]

  return render


def make_render(trained: TrainedBaseline, seed: int) -> Callable:
  """The `render` of a method.

  Args:
    trained: Pix2pixHD.
    seed: of the order of the frames.

  Returns:
    See flaxheads.evaluation.protocol.Method.
  """
  finetune = make_finetune(trained.config)
  generate = make_renderer(trained.config)

  def render(frames, points, drivers):
    params = finetune(trained.variables, frames, points, seed)
    return generate(params['generator'], drivers.points)

  return render
