"""The training loop: read, step, log, save. A Recipe says what is trained."""

import contextlib
import math
import time

from absl import logging
from tqdm import tqdm

from flaxheads.config import Checked
from flaxheads.data import pipeline
from flaxheads.errors import UserError
from flaxheads.training import (
  compilation,
  cost,
  parallel,
  prefetch,
  preview,
)
from flaxheads.training.checkpoints import Checkpoints
from flaxheads.training.monitor import (
  Monitor,
  Profiler,
  check_finite,
  to_scalars,
)
from flaxheads.training.preemption import StopRequest
from flaxheads.training.recipe import Recipe
from flaxheads.training.workdir import check_same_data, claim_workdir


def _batches(recipe: Recipe, config: Checked, source, start, num_workers):
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
    choose=recipe.choose_frames,
  )


def _preview_batch(recipe: Recipe, config: Checked, source):
  """The same people for the whole run, of the test split if there is one."""
  data = config.data
  try:
    source = pipeline.make_source(data.dataset, data.data_dir, 'test')
  except UserError:
    pass  # no such split: people of the training set
  return next(
    pipeline.sample_iterator(
      source,
      num_support=data.num_support,
      batch_size=min(preview.MAX_PEOPLE, len(source)),
      image_size=config.model.image_size,
      seed=config.seed,
      choose=recipe.choose_frames,
    )
  )


def train(
  recipe: Recipe,
  config: Checked,
  workdir: str,
  num_devices: int | None = None,
  profile_steps: int = 0,
):
  """Trains until `config.training.num_steps`, resuming the run in `workdir`.

  Every process of a run calls it with the same arguments.

  Args:
    recipe: the networks and the step, made of `config`; see
      flaxheads.experiments.make_recipe.
    config: the experiment.
    workdir: folder of checkpoints, TensorBoard events and previews; on several
      hosts one that all of them see, such as gs://BUCKET/RUN.
    num_devices: how many to use; None: all.
    profile_steps: how many steps to trace into workdir/profile.

  Returns:
    The final state and the scalars logged last.

  Raises:
    UserError: data, config and workdir do not fit together.
    DivergenceError: a loss is not finite.
    RunPausedError: stopped by a signal, after saving.
  """
  config.validate()
  mesh = parallel.make_mesh(num_devices)
  cost.check_batch(config, mesh)
  source = pipeline.make_source(
    config.data.dataset, config.data.data_dir, config.data.split
  )
  next(iter(_batches(recipe, config, source, 0, 0)))  # can the data be read?
  claim_workdir(workdir, config)
  with contextlib.ExitStack() as stack:
    run = _Run(recipe, config, workdir, mesh, source, profile_steps)
    stack.callback(run.close)
    return run.run(stack.enter_context(StopRequest()))


class _Run:
  """One run: its data, step, state, monitor and checkpoints."""

  def __init__(self, recipe, config, workdir, mesh, source, profile_steps):
    self.recipe, self.config, self.mesh = recipe, config, mesh
    self.constants = parallel.place(
      self.recipe.constants, mesh, parallel.REPLICATED
    )
    shown = _preview_batch(recipe, config, source)
    self.preview = self.recipe.make_preview(shown)
    self.facts = pipeline.describe_source(source)
    self.checkpoints = Checkpoints(workdir, config.training.keep_checkpoints)
    size = (len(source), mesh)
    restored = self.checkpoints.restore(
      self.recipe.describe_state(*size),
      lambda facts: check_same_data(workdir, facts, self.facts),
    )
    if restored:
      self.start, self.state = restored
      logging.info('resuming from the checkpoint of step %d', self.start)
    else:
      state = self.recipe.create_state(*size)
      self.start, self.state = 0, self.recipe.begin(state, shown)
    self.batches = prefetch.place_ahead(
      _batches(recipe, config, source, self.start, config.data.num_workers),
      mesh,
    )
    self.step = self.recipe.make_step(mesh)
    self.workdir, self.profile_steps = workdir, profile_steps
    self.monitor = self.profiler = None

  def _begin(self):
    """Compiles the step for the first batch and starts logging."""
    batch = next(self.batches)
    arguments = (self.state, batch, self.constants)
    num_steps = self.config.training.num_steps  # the same after resuming
    self.step, flops = compilation.compile_for(self.step, arguments, num_steps)
    cost.check_fits(self.config, self.step, self.mesh, self.state)
    self.monitor = Monitor(
      self.workdir,
      self.config,
      self.start,
      flops,
      parallel.chip(self.mesh),
      self.recipe.knows_people,
    )
    self.profiler = Profiler(self.workdir, self.profile_steps)
    return batch

  def run(self, stop: StopRequest):
    """Steps until the end; returns the state and the last scalars."""
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
      # None: the log has a line per log step where stderr is no terminal.
      disable=None if parallel.is_first_process() else True,
    )
    for done in (i + 1 for i in bar):
      self.state, metrics = self.step(self.state, batch, self.constants)
      last = done == steps.stop
      stopping = stop.requested(done)
      self.profiler.step(metrics)
      if done % rhythm.log_every == 0 or last:
        scalars = self.monitor.log(done, metrics)
        shown = self.recipe.shown.items()
        bar.set_postfix({k: f'{scalars[name]:.3f}' for k, name in shown})
      due, error = done % rhythm.checkpoint_every == 0 or last, math.inf
      if done % rhythm.sample_every == 0 or due:
        seen = self.preview(self.state)
        scalars |= self.monitor.write_preview(done, seen)
        error = float(seen.error)
      # A machine that is about to be taken leaves no time for a preview.
      if due or stopping:
        check_finite(done, to_scalars(metrics))  # never keep a broken state
        self.checkpoints.save(done, self.state, self.facts, error)
      if stopping and not last:
        raise stop.pause(done)
      if not last:
        began = time.perf_counter()
        batch = next(self.batches)
        # There was no waiting if the step is still running.
        if parallel.is_done(metrics):
          self.monitor.waited(time.perf_counter() - began)
    return self.state, scalars

  def close(self):
    """Waits for a save under way, and ends what reads ahead."""
    for part in (self.batches, self.monitor, self.profiler, self.checkpoints):
      if part:
        part.close()
