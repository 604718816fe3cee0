"""The training loop: read, step, watch, save."""

import contextlib
import time

from absl import logging
from tqdm import tqdm

from flaxheads.config import Checked
from flaxheads.data import pipeline
from flaxheads.errors import UserError
from flaxheads.experiments import read_config
from flaxheads.training import parallel, prefetch, recipes, sampling
from flaxheads.training.checkpoints import Checkpoints
from flaxheads.training.stopping import StopRequest
from flaxheads.training.watch import (
  Profiler,
  Watch,
  check_finite,
  to_scalars,
)
from flaxheads.training.workdir import (
  check_same_data,
  claim_workdir,
  load_config,
)


def _check_batch(config: Checked, num_devices: int) -> None:
  # Comparators take a device's batch at once.
  steps = getattr(config.training, 'accumulation_steps', 1)
  parts = num_devices * steps
  if config.training.batch_size % parts:
    each = f' in {steps} accumulation steps' if steps > 1 else ''
    raise UserError(
      f'training.batch_size: {config.training.batch_size} does not split '
      f'over {num_devices} devices{each}; a multiple of {parts} is needed'
    )


def _batches(config: Checked, source, start: int, num_workers: int):
  """This process's rows of the batch of every step."""
  return pipeline.sample_dataset(
    source,
    num_support=config.data.num_support,
    batch_size=config.training.batch_size,
    image_size=config.model.image_size,
    seed=config.seed,
    start_step=start,
    num_workers=num_workers,
    shard_index=parallel.process_index(),
    num_shards=parallel.num_processes(),
  )


def _fixed_people(config: Checked, source):
  """People to look at, of the test split where there is one."""
  data = config.data
  try:
    source = pipeline.make_source(data.dataset, data.data_dir, 'test')
  except UserError:
    pass  # not all have such a split: people of the training set
  return next(
    pipeline.sample_iterator(
      source,
      num_support=data.num_support,
      batch_size=min(sampling.MAX_PEOPLE, len(source)),
      image_size=config.model.image_size,
      seed=config.seed,
    )
  )


def train(
  config: Checked,
  workdir: str,
  num_devices: int | None = None,
  profile_steps: int = 0,
):
  """Trains until `config.training.num_steps`, going on where a run stopped.

  Every process of a run calls it with the same arguments.

  Args:
    config: the experiment, with the model or a comparator.
    workdir: folder of checkpoints, TensorBoard events and sample pictures; on
      several hosts one that all of them see, such as gs://BUCKET/RUN.
    num_devices: how many to use; None: all.
    profile_steps: how many steps to trace into workdir/profile.

  Returns:
    The final state and the scalars logged last.

  Raises:
    UserError: data, config and workdir do not fit together.
    DivergenceError: a loss is not finite.
    RunPausedError: asked to stop, and saved.
  """
  config.validate()
  mesh = parallel.make_mesh(num_devices)
  _check_batch(config, parallel.num_devices(mesh))
  source = pipeline.make_source(
    config.data.dataset, config.data.data_dir, config.data.split
  )
  next(iter(_batches(config, source, 0, 0)))  # can the data be read?
  claim_workdir(workdir, config)
  with contextlib.ExitStack() as stack:
    run = _Run(config, workdir, mesh, source, profile_steps)
    stack.callback(run.close)
    return run.go(stack.enter_context(StopRequest()))


class _Run:
  """One run under way: what it reads, steps with, watches and saves."""

  def __init__(self, config, workdir, mesh, source, profile_steps):
    self.config, self.mesh = config, mesh
    self.recipe = recipes.make_recipe(config)
    self.constants = parallel.place(
      self.recipe.constants, mesh, parallel.REPLICATED
    )
    self.sampler = self.recipe.make_sampler(_fixed_people(config, source))
    self.facts = pipeline.describe_source(source)
    self.checkpoints = Checkpoints(workdir, config.training.keep_checkpoints)
    size = (len(source), mesh)
    restored = self.checkpoints.restore(
      self.recipe.describe_state(*size),
      lambda facts: check_same_data(workdir, facts, self.facts),
    )
    if restored:
      self.start, self.state = restored
      logging.info('going on from the checkpoint of step %d', self.start)
    else:
      self.start, self.state = 0, self.recipe.create_state(*size)
    self.batches = prefetch.place_ahead(
      _batches(config, source, self.start, config.data.num_workers), mesh
    )
    self.step = self.recipe.make_step(mesh)
    self.workdir, self.profile_steps = workdir, profile_steps
    self.watch = self.profiler = None

  def _begin(self):
    """Compiles the step for the first batch, and opens what watches it."""
    batch = next(self.batches)
    arguments = (self.state, batch, self.constants)
    self.step, flops = parallel.compile_for(self.step, arguments)
    self.watch = Watch(
      self.workdir,
      self.config.training.batch_size,
      flops,
      parallel.chip(self.mesh),
      self.recipe.knows_people,
    )
    self.profiler = Profiler(self.workdir, self.profile_steps)
    return batch

  def go(self, stop: StopRequest):
    """Steps until the end."""
    rhythm, scalars = self.config.training, {}
    steps = range(self.start, rhythm.num_steps)
    if not steps:
      return self.state, scalars
    batch = self._begin()
    bar = tqdm(
      steps,
      'training',
      initial=steps.start,
      total=steps.stop,
      mininterval=5,
      disable=not parallel.is_first_process(),
    )
    for done in (i + 1 for i in bar):
      self.state, metrics = self.step(self.state, batch, self.constants)
      last = done == steps.stop
      stopping = stop.asked(done)
      self.profiler.step(metrics)
      if done % rhythm.log_every == 0 or last:
        scalars = self.watch.log(done, metrics)
        shown = self.recipe.shown.items()
        bar.set_postfix({k: f'{scalars[name]:.3f}' for k, name in shown})
      saving = done % rhythm.checkpoint_every == 0 or last or stopping
      if done % rhythm.sample_every == 0 or saving:
        look = self.sampler(self.state)
        scalars |= self.watch.look(done, look)
      if saving:
        check_finite(done, to_scalars(metrics))  # never keep a broken state
        self.checkpoints.save(done, self.state, self.facts, float(look.error))
      if stopping and not last:
        raise stop.pause(done)
      if not last:
        began = time.perf_counter()
        batch = next(self.batches)
        # While the step runs on, nobody has waited.
        if parallel.is_done(metrics):
          self.watch.waited(time.perf_counter() - began)
    return self.state, scalars

  def close(self):
    """Waits for a save under way, and ends what reads ahead."""
    for part in (self.batches, self.watch, self.profiler, self.checkpoints):
      if part:
        part.close()


def restore(workdir: str, best: bool = False):
  """The config and a state of a run, on one device, for reading.

  Args:
    workdir: folder of the run.
    best: the state that draws the fixed people best, not the newest.

  Returns:
    (config, state), of the model or of a comparator.

  Raises:
    UserError: the folder holds no run, or no checkpoint yet.
  """
  config = read_config(load_config(workdir))
  checkpoints = Checkpoints(workdir, config.training.keep_checkpoints)
  with contextlib.closing(checkpoints):
    step = checkpoints.best_step() if best else checkpoints.latest_step()
    if step is None:
      raise UserError(f'--workdir={workdir}: holds no checkpoint yet')
    restored = checkpoints.read(step, parallel.make_mesh(1))
    return config, recipes.state_type(config)(**restored.state)
