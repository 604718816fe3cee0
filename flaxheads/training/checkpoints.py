"""Checkpoints of a run, with Orbax: the whole state, nothing else needed.

A sample is a function of the seed and the step, so that the step number in
the state is also the state of the data pipeline.
"""

import contextlib
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
from absl import logging
from etils import epath
from orbax.checkpoint import checkpoint_managers as managers

from flaxheads.errors import UserError, behind
from flaxheads.quick_jit import quick_jit
from flaxheads.training import parallel


class Restored(NamedTuple):
  """What a checkpoint holds.

  Attributes:
    step: updates done.
    state: the training state.
  """

  step: int
  state: Any


class _DamagedError(Exception):
  """A checkpoint that cannot be what was saved."""


@contextlib.contextmanager
def _damage():
  """Whatever readers of damaged files raise becomes one exception."""
  try:
    yield
  except Exception as error:
    # Orbax wraps even an interrupt.
    if any(isinstance(cause, KeyboardInterrupt) for cause in behind(error)):
      raise KeyboardInterrupt from error
    reason = ' '.join(str(error).split())[:200] or type(error).__name__
    raise _DamagedError(reason) from error


def _name(path) -> str:
  """Of a leaf, the same in a dataclass and in nested dicts."""
  return '.'.join(str(getattr(k, 'name', getattr(k, 'key', k))) for k in path)


def _sums(tree):
  return jax.tree.map(
    lambda leaf: jnp.sum(
      jax.lax.bitcast_convert_type(leaf, jnp.uint32), dtype=jnp.uint32
    ),
    tree,
  )


_jitted_sums = quick_jit(_sums, 'once')


def _checksums(tree) -> dict[str, int]:
  """Sum of the bits of every leaf: the same on any number of devices."""
  leaves = jax.tree_util.tree_leaves_with_path(_jitted_sums(tree))
  return {_name(path): int(value) for path, value in leaves}


def _error(metrics: dict) -> float:
  return metrics['error']


class Checkpoints:
  """The newest checkpoints of one run, and the best; saved in the background.

  A checkpoint is complete or absent under its name, and carries a checksum of
  every array: one that was damaged later is set aside, not trained on.
  """

  def __init__(self, workdir: str, keep: int = 3):
    """Raises UserError where the metrics of a checkpoint are damaged."""
    self._folder = epath.Path(workdir).absolute() / 'checkpoints'
    self._keep = keep
    self._manager = self._open()

  def _open(self) -> ocp.CheckpointManager:
    self._check_metrics()
    best = managers.BestN(get_metric_fn=_error, reverse=True, n=1)
    return ocp.CheckpointManager(
      self._folder,
      options=ocp.CheckpointManagerOptions(
        preservation_policy=managers.AnyPreservationPolicy(
          [managers.LatestN(self._keep), best]
        ),
        best_fn=_error,  # else the metrics are not written
        best_mode='min',
        cleanup_tmp_directories=parallel.is_first_process(),
        enable_async_checkpointing=True,
      ),
      item_names=('state', 'facts'),
      item_handlers={
        'state': ocp.StandardCheckpointHandler(),
        'facts': ocp.JsonCheckpointHandler(),
      },
    )

  def _check_metrics(self) -> None:
    """Orbax reads all when it starts, and does not say whose are damaged."""
    for path in sorted(self._folder.glob('*/metrics/metrics')):
      step = path.parent.parent
      if not step.name.isdecimal():
        continue  # not yet complete
      try:
        with _damage():
          float(_error(json.loads(path.read_text())))
      except _DamagedError as error:
        raise UserError(
          f'{path}: damaged ({error}); move {step} away to resume without it'
        ) from error

  def latest_step(self) -> int | None:
    """Step of the newest checkpoint; None where there is none."""
    return self._manager.latest_step()

  def best_step(self) -> int | None:
    """Step of the checkpoint with the least error on the preview batch."""
    return self._manager.best_step()

  def save(self, step: int, state, facts: dict, error: float) -> None:
    """Saves the state unless that step is saved already.

    Args:
      step: updates done; with the seed it is the state of the data, too.
      state: a tree of arrays.
      facts: what must be the same when the run resumes; JSON.
      error: of the preview batch, infinite where it was not generated; decides
        which checkpoint is the best.
    """
    if self._manager.latest_step() == step:
      return
    facts = {'data': facts, 'checksums': _checksums(state)}
    self._manager.save(
      step,
      args=ocp.args.Composite(
        state=ocp.args.StandardSave(state), facts=ocp.args.JsonSave(facts)
      ),
      metrics={'error': error},
    )

  def restore(self, like, check: Callable[[dict], None]) -> Restored | None:
    """The newest checkpoint that is whole, placed on devices as `like` is.

    A damaged one is reported, moved to `damaged/` beside the checkpoints and
    passed over.

    Args:
      like: a tree of jax.ShapeDtypeStruct with shardings.
      check: takes the facts that `save` was given; may raise UserError.

    Returns:
      Restored; None where there is no checkpoint.

    Raises:
      UserError: there are checkpoints, and all are damaged; or from `check`.
    """
    steps = sorted(self._manager.all_steps(), reverse=True)
    for step in steps:
      try:
        checksums = self._read_facts(step, check)
        restored, reason = self._read_state(step, like, checksums), ''
      except _DamagedError as error:
        restored, reason = None, str(error)
      if parallel.all_agree(restored is not None):
        return restored
      logging.warning(
        'the checkpoint of step %d is damaged (%s) and set aside in damaged/; '
        'trying the one before it',
        step,
        reason or 'on another host',
      )
      self._set_aside(step)
    if steps:
      raise UserError(
        f'{self._folder}: all checkpoints are damaged; give another --workdir'
      )
    return None

  def _read_facts(self, step: int, check) -> dict[str, int]:
    with _damage():
      only = ocp.args.Composite(facts=ocp.args.JsonRestore())
      facts = self._manager.restore(step, args=only)['facts']
      data, checksums = facts['data'], facts['checksums']
    check(data)
    return checksums

  def _read_state(self, step: int, like, checksums: dict) -> Restored:
    with _damage():
      only = ocp.args.Composite(state=ocp.args.StandardRestore(like))
      state = self._manager.restore(step, args=only)['state']
      whole = checksums == _checksums(state)
    if not whole:
      raise _DamagedError('its checksums differ')
    return Restored(step, state)

  def _set_aside(self, step: int) -> None:
    self._manager.close()
    if parallel.is_first_process():
      folder = self._folder.parent / 'damaged'
      folder.mkdir(parents=True, exist_ok=True)
      target = folder / str(step)
      if target.exists():
        target.rmtree()
      (self._folder / str(step)).rename(target)
    parallel.all_agree(True)  # no process reads before it is removed
    self._manager = self._open()

  def read(self, step: int, mesh: parallel.Mesh) -> Restored:
    """All leaves of `step`, replicated over `mesh`, as nested dicts.

    For readers that know neither the number of videos nor the optimiser.

    Raises:
      UserError: the checkpoint is damaged.
    """
    try:
      checksums = self._read_facts(step, lambda _: None)
      with _damage():
        saved = self._manager.item_metadata(step)['state']
        like = parallel.describe_placed(saved, mesh, parallel.REPLICATED)
      return self._read_state(step, like, checksums)
    except _DamagedError as error:
      raise UserError(
        f'{self._folder}/{step}: damaged ({error}); training sets it aside and '
        'resumes from the one before it'
      ) from error

  def close(self) -> None:
    """Waits for a save under way, and ends."""
    self._manager.wait_until_finished()
    self._manager.close()
