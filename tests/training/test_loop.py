"""The loop: resuming is exact, and what goes wrong is named."""

import copy
import dataclasses
import functools
import os
import signal
import threading

import jax
import numpy as np
import pytest

from flaxheads import experiments
from flaxheads import networks as nets
from flaxheads.data import mixture
from flaxheads.errors import RunPausedError, UserError
from flaxheads.training import loop, parallel
from flaxheads.training import state as state_module
from flaxheads.training.checkpoints import Checkpoints
from flaxheads.training.monitor import DivergenceError
from flaxheads.training.objectives import DiscriminatorTerms, GeneratorTerms
from flaxheads.training.preview import Preview
from flaxheads.training.separation import Separation
from flaxheads.training.step import Norms, StepMetrics
from flaxheads.training.workdir import claim_workdir
from tests import tiny_game

NUM_DEVICES = 2


@pytest.fixture(scope='module', autouse=True)
def five_videos():
  """The dataset is five videos in memory."""
  source = [tiny_game.make_record(video) for video in range(5)]
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(loop.pipeline, 'make_source', lambda *_: source)
    yield


def _config(**training):
  return tiny_game.make_config(discriminator_updates=1, **training)


def _no_preview(batch):
  del batch
  return lambda state: Preview(np.zeros((4, 4, 3), np.uint8), 0.5, {})


@functools.cache
def _make_step(mesh):
  """One program for all runs: they differ in what it does not depend on."""
  return tiny_game.make_recipe(_config()).make_step(mesh)


def _recipe(config, **parts):
  """The real recipe without previews, which compile; `parts` replace others."""
  parts = {'make_preview': _no_preview, 'make_step': _make_step} | parts
  return tiny_game.make_recipe(config)._replace(**parts)


def _train(config, workdir, **parts):
  return loop.train(_recipe(config, **parts), config, str(workdir), NUM_DEVICES)


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
  """A run of four steps without a stop."""
  workdir = tmp_path_factory.mktemp('whole')
  config = _config(num_steps=4)
  recipe = tiny_game.make_recipe(config)._replace(make_step=_make_step)
  return workdir, *loop.train(recipe, config, str(workdir), NUM_DEVICES)


def test_resuming_changes_nothing(whole, tmp_path):
  _, state, scalars = whole
  _train(_config(num_steps=2), tmp_path)
  resumed, others = _train(_config(num_steps=4), tmp_path)
  assert resumed.step == 4
  tiny_game.assert_trees_equal(resumed, state)
  for name, value in scalars.items():
    if '/' in name and 'people/' not in name:  # no timings, no images
      assert others[name] == value, name


def test_a_run_leaves_checkpoints_images_and_scalars(whole):
  workdir, _, scalars = whole
  kept = sorted(path.name for path in (workdir / 'checkpoints').iterdir())
  assert kept == ['2', '4']
  pictures = sorted(path.name for path in (workdir / 'samples').iterdir())
  assert pictures == ['00000002.png', '00000004.png']
  assert list((workdir / 'tensorboard').iterdir())
  assert {name for name in scalars if '/' in name} >= {
    *(f'generator/{term}' for term in GeneratorTerms._fields),
    *(f'discriminator/{term}' for term in DiscriminatorTerms._fields),
  }


def test_a_run_is_read_back_on_one_device(whole):
  workdir, state, _ = whole
  config, restored = experiments.restore(str(workdir))
  assert config == _config(num_steps=4)
  assert restored.step == 4
  for name in ('params', 'ema', 'spectral'):
    tiny_game.assert_trees_equal(
      jax.device_get(getattr(restored, name)),
      jax.device_get(getattr(state, name)),
    )


def test_a_folder_without_a_checkpoint_is_named(tmp_path):
  with pytest.raises(UserError, match='holds no run'):
    experiments.restore(str(tmp_path))
  claim_workdir(str(tmp_path), _config())
  with pytest.raises(UserError, match='holds no checkpoint yet'):
    experiments.restore(str(tmp_path))


def test_another_experiment_does_not_resume(whole):
  workdir, _, _ = whole
  config = _config(num_steps=9)
  config.loss.match = 1.0
  with pytest.raises(UserError, match='loss.match=10.0, not 1.0'):
    _train(config, workdir)


def test_a_batch_that_does_not_split_is_refused(tmp_path):
  with pytest.raises(UserError, match='batch_size: 2 .* over 8 devices'):
    config = _config()
    loop.train(_recipe(config), config, str(tmp_path / 'new'), 8)
  assert not (tmp_path / 'new').exists()


def test_accumulation_asks_for_a_larger_batch(tmp_path):
  config = _config(accumulation_steps=2)
  with pytest.raises(UserError, match='in 2 accumulation steps'):
    _train(config, tmp_path / 'new')


def test_fields_are_checked_before_anything_is_made(tmp_path):
  config = _config()
  config.training.num_steps = 0
  with pytest.raises(UserError, match='training.num_steps: 0 is too small'):
    _train(config, tmp_path / 'new')
  assert not (tmp_path / 'new').exists()


def _fake_step(broken_step, player, term, value):
  good = StepMetrics(
    GeneratorTerms(*np.ones(4)),
    DiscriminatorTerms(*np.ones(4)),
    Norms(*np.ones(4)),
    Separation(*np.ones(2)),
    np.ones(()),
  )
  terms = getattr(good, player)._replace(**{term: value})
  bad = good._replace(**{player: terms})

  class Program:
    """What a jitted function offers."""

    def lower(self, *_):
      return self

    def compile(self, **_):
      return self

    def cost_analysis(self):
      return {}

    def __call__(self, state, batch, content_params):
      state = state.replace(step=state.step + 1)
      return state, bad if state.step == broken_step else good

  return lambda *_: Program()


@pytest.mark.parametrize(
  'player, term, value',
  [
    ('generator', 'content', np.nan),
    ('generator', 'match', np.inf),
    ('discriminator', 'hinge', np.nan),
    ('norms', 'params', np.nan),
  ],
)
def test_a_loss_that_is_not_finite_stops_the_run(
  tmp_path, monkeypatch, player, term, value
):
  make = _fake_step(3, player, term, value)
  with pytest.raises(DivergenceError, match=f'step 3: {player}/{term} is'):
    _train(_config(num_steps=6), tmp_path, make_step=make)
  checkpoints = Checkpoints(str(tmp_path))
  assert checkpoints.latest_step() == 2
  checkpoints.close()


def test_a_broken_state_is_not_kept_even_when_it_is_not_logged(
  tmp_path, monkeypatch
):
  make = _fake_step(4, 'generator', 'content', np.nan)
  config = _config(num_steps=50, log_every=50, checkpoint_every=2)
  with pytest.raises(DivergenceError, match='step 4: generator/content'):
    _train(config, tmp_path, make_step=make)
  checkpoints = Checkpoints(str(tmp_path))
  assert checkpoints.latest_step() == 2
  checkpoints.close()


def test_the_state_of_these_tests_is_like_the_real_one():
  config = _config()
  networks = nets.build_networks(config.model)
  real = state_module.describe_state(config, networks, 5, parallel.make_mesh(1))
  fake = tiny_game.make_state(config)
  assert jax.tree.structure(real) == jax.tree.structure(fake)
  for one, other in zip(
    jax.tree.leaves(real), jax.tree.leaves(fake), strict=True
  ):
    assert (one.shape, one.dtype) == (other.shape, other.dtype)


def test_sigterm_saves_and_the_run_resumes(whole, tmp_path):
  _, state, _ = whole
  config = _config(num_steps=4, checkpoint_every=100)
  make = _recipe(config).make_step

  def make_interrupted(*args):
    program = make(*args)

    class Terminated:
      def lower(self, *args):
        self.lowered = program.lower(*args)
        return self

      def compile(self, **options):
        self.compiled = self.lowered.compile(**options)
        return self

      def cost_analysis(self):
        return None

      def __call__(self, state, *rest):
        os.kill(os.getpid(), signal.SIGTERM)
        return self.compiled(state, *rest)

    return Terminated()

  with pytest.raises(RunPausedError, match='after step 1 and saved') as caught:
    _train(config, tmp_path, make_step=make_interrupted)
  assert not caught.value.by_user
  assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
  # No preview: a machine that is about to be taken waits for half a minute.
  assert not [*tmp_path.glob('samples/*')]
  resumed, _ = _train(config, tmp_path)
  tiny_game.assert_trees_equal(resumed, state)


class _Named(list):
  """Records with a fingerprint."""

  def __init__(self, videos, name):
    super().__init__(map(tiny_game.make_record, videos))
    self.name = name

  def fingerprint(self):
    return self.name


def test_a_mixture_resumes_with_the_same_parts_alone(tmp_path, monkeypatch):
  def mix(*names):
    parts = [mixture.Part(_Named(range(2), name)) for name in names]
    monkeypatch.setattr(
      loop.pipeline, 'make_source', lambda *_: mixture.Mixture(parts)
    )

  make = _fake_step(99, 'generator', 'content', np.nan)
  mix('a', 'b')
  _train(_config(num_steps=2), tmp_path, make_step=make)
  mix('a', 'c')  # as many videos, but other ones
  with pytest.raises(UserError, match=r'fingerprint was a\+b, is a\+c'):
    _train(_config(num_steps=3), tmp_path, make_step=make)
  mix('a', 'b')
  state, _ = _train(_config(num_steps=3), tmp_path, make_step=make)
  assert state.step == 3


@pytest.mark.parametrize('stepping', [True, False])
def test_nobody_waits_for_data_while_the_step_runs(
  tmp_path, monkeypatch, stepping
):
  make = _fake_step(99, 'generator', 'content', np.nan)
  monkeypatch.setattr(loop.parallel, 'is_done', lambda metrics: not stepping)
  _, scalars = _train(_config(num_steps=4), tmp_path, make_step=make)
  assert (scalars['share_waiting_for_data'] > 0) != stepping


def test_no_thread_reads_after_a_run(tmp_path):
  make = _fake_step(2, 'generator', 'content', np.nan)

  def readers():
    return [t for t in threading.enumerate() if 'prefetch' in t.name]

  before = len(readers())
  with pytest.raises(DivergenceError):
    _train(_config(num_steps=4), tmp_path, make_step=make)
  assert len(readers()) == before


def test_configs_of_these_tests_are_independent():
  one = _config()
  other = copy.deepcopy(one)
  other.loss = dataclasses.replace(one.loss, match=0.0)
  assert _config() == one != other
