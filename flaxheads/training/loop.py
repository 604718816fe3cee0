"""The meta-training loop: read, step, watch, save."""

import time

import jax
from absl import logging
from tqdm import tqdm

from flaxheads.config import Config, from_dict
from flaxheads.data import pipeline
from flaxheads.errors import UserError
from flaxheads.training import networks as nets
from flaxheads.training import parallel
from flaxheads.training.checkpoints import (
  Checkpoints,
  claim_workdir,
  load_config,
)
from flaxheads.training.content import build_content
from flaxheads.training.sampling import make_sampler
from flaxheads.training.state import STATE_SPECS, TrainState, init_state
from flaxheads.training.step import make_train_step
from flaxheads.training.watch import Watch, check_finite, to_scalars


def _check_batch(config: Config, num_devices: int) -> None:
  if config.training.batch_size % num_devices:
    raise UserError(
      f'training.batch_size: {config.training.batch_size} does not split '
      f'over {num_devices} devices; a multiple of {num_devices} is needed'
    )


def place_state(state: TrainState, mesh) -> TrainState:
  """Puts every part of a state where STATE_SPECS says."""
  return TrainState(
    **{
      name: parallel.place(getattr(state, name), mesh, spec)
      for name, spec in vars(STATE_SPECS).items()
    }
  )


def _batches(config: Config, source, start: int, num_workers: int):
  return pipeline.sample_iterator(
    source,
    num_support=config.data.num_support,
    batch_size=config.training.batch_size,
    image_size=config.model.image_size,
    seed=config.seed,
    start_step=start,
    num_workers=num_workers,
    shard_index=jax.process_index(),
    num_shards=jax.process_count(),
  )


def train(config: Config, workdir: str, num_devices: int | None = None):
  """Trains until `config.training.num_steps`, going on where a run stopped.

  Args:
    config: the experiment.
    workdir: folder of checkpoints, TensorBoard events and sample pictures.
    num_devices: how many to use; None: all.

  Returns:
    The final TrainState and the scalars logged last.

  Raises:
    UserError: data, config and workdir do not fit together.
    DivergenceError: a loss is not finite.
  """
  config.validate()
  mesh = parallel.make_mesh(num_devices)
  _check_batch(config, parallel.num_devices(mesh))
  source = pipeline.make_source(
    config.data.dataset, config.data.data_dir, config.data.split
  )
  fixed = next(
    _batches(config, source, 0, 0)
  )  # also proves that data can be read
  claim_workdir(workdir, config)
  networks = nets.build_networks(config.model)
  content = build_content(config)
  content_params = parallel.place(content.params, mesh, parallel.REPLICATED)
  step = make_train_step(config, networks, content, mesh)
  state = place_state(
    jax.jit(lambda: init_state(config, networks, len(source)))(), mesh
  )
  checkpoints = Checkpoints(workdir, config.training.keep_checkpoints)
  start = checkpoints.latest_step() or 0
  if start:
    state = checkpoints.restore(start, state)
    logging.info('going on from the checkpoint of step %d', start)
  batches = (
    parallel.place(batch, mesh, parallel.SHARDED)
    for batch in _batches(config, source, start, config.data.num_workers)
  )
  watch = Watch(workdir, config.training.batch_size)
  try:
    return _run(
      config,
      state,
      range(start, config.training.num_steps),
      batches,
      lambda state, batch: step(state, batch, content_params),
      make_sampler(networks, fixed),
      watch,
      checkpoints,
    )
  finally:
    watch.close()
    checkpoints.close()


def _run(config, state, steps, batches, step, sampler, watch, checkpoints):
  """Steps until the end; watches and saves on the way."""
  rhythm, scalars = config.training, {}
  bar = tqdm(
    steps, 'training', initial=steps.start, total=steps.stop, mininterval=5
  )
  for done in (i + 1 for i in bar):
    began = time.perf_counter()
    batch = next(batches)
    watch.waited(time.perf_counter() - began)
    state, metrics = step(state, batch)
    last = done == steps.stop
    if done % rhythm.log_every == 0 or last:
      scalars = watch.log(done, metrics)
      bar.set_postfix(
        content=f'{scalars["generator/content"]:.3f}',
        hinge=f'{scalars["discriminator/hinge"]:.2f}',
      )
    if done % rhythm.sample_every == 0 or last:
      watch.picture(done, sampler(state.ema, state.spectral))
    if done % rhythm.checkpoint_every == 0 or last:
      check_finite(done, to_scalars(metrics))  # never keep a broken state
      checkpoints.save(done, state)
  return state, scalars


def restore(workdir: str) -> tuple[Config, TrainState]:
  """The config and newest state of a run, on one device, for reading.

  Raises:
    UserError: the folder holds no run, or no checkpoint yet.
  """
  config = from_dict(load_config(workdir))
  checkpoints = Checkpoints(workdir, config.training.keep_checkpoints)
  try:
    newest = checkpoints.latest_step()
    if newest is None:
      raise UserError(f'--workdir={workdir}: holds no checkpoint yet')
    raw = checkpoints.restore_raw(newest, parallel.make_mesh(1))
    return config, TrainState(**raw)
  finally:
    checkpoints.close()
