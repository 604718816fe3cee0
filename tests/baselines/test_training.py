"""Training of the baselines: losses, gradients, devices, resuming."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flaxheads import experiments
from flaxheads.baselines.pix2pixhd import losses as pix2pixhd_losses
from flaxheads.baselines.pix2pixhd.config import VGG19Config
from flaxheads.baselines.pix2pixhd.networks import PatchOutput, build_networks
from flaxheads.baselines.x2face import training as x2face
from flaxheads.baselines.x2face.config import IdentityConfig, VGGFaceConfig
from flaxheads.data.batch import Batch
from flaxheads.data.synthetic_heads import make_clip
from flaxheads.errors import RunPausedError, UserError
from flaxheads.training import loop, losses
from tests import tiny_game
from tests.baselines import tools

NUM_STEPS = 40


def _outputs(seed):
  rng = np.random.default_rng(seed)

  def array(*shape):
    return rng.normal(size=shape).astype(np.float32)

  return [
    PatchOutput(array(2, n, n, 1), [array(2, n, n, c) for c in (2, 3)])
    for n in (5, 3)
  ]


def test_least_squares_is_the_sum_over_scales_of_squares():
  outputs = _outputs(0)
  for label in (0.0, 1.0):
    wanted = sum(np.mean((output.score - label) ** 2) for output in outputs)
    found = pix2pixhd_losses.least_squares(outputs, label)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_feature_matching_is_the_published_sum():
  fake, real = _outputs(0), _outputs(1)
  # lambda_feat aside: (1 / scales) (4 / (layers + 1)) |.|, three layers.
  wanted = sum(
    (1 / 2) * (4 / (3 + 1)) * np.abs(a - b).mean()
    for f, r in zip(fake, real, strict=True)
    for a, b in zip(f.features, r.features, strict=True)
  )
  found = pix2pixhd_losses.feature_matching(fake, real)
  np.testing.assert_allclose(found, wanted, rtol=1e-6)
  gradient = jax.grad(lambda r: pix2pixhd_losses.feature_matching(fake, r))(
    real
  )
  assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradient))


class _StubVGG:
  """Five layers: the image times 1, 2, ... 5."""

  def apply(self, variables, frames):
    del variables
    return [frames * (i + 1) for i in range(5)]


def _stub_networks(monkeypatch, module, name):
  monkeypatch.setattr(
    module, 'load_networks', lambda *_: ({name: _StubVGG()}, {name: {}})
  )


def test_the_perceptual_loss_has_the_published_weights(monkeypatch):
  _stub_networks(monkeypatch, pix2pixhd_losses, 'vgg19')
  config = tools.make_pix2pixhd()
  content = pix2pixhd_losses.build_content(config)
  fake, real = np.float32([[[[0.5, 0, 0]]]]), np.float32([[[[0.2, 0, 0]]]])
  weights = np.array([1 / 32, 1 / 16, 1 / 8, 1 / 4, 1])
  wanted = 10 * (weights * np.arange(1, 6) * 0.1).sum()
  found = content.apply(content.params, fake, real)
  np.testing.assert_allclose(found, wanted, rtol=1e-5)


def _identity_terms(features):
  """On one device, where the mean over devices is the value itself."""
  return x2face.identity_terms(features, 0.7, IdentityConfig(5), lambda x: x)


def test_each_identity_term_is_as_strong_as_the_photometric_one():
  rng = np.random.default_rng(0)
  features = [
    [rng.normal(size=(2, 4, 4, c)).astype(np.float32) for c in (2, 3, 4)]
    for _ in range(3)
  ]
  same, other = _identity_terms(features)
  np.testing.assert_allclose(same, 2 * 0.7, rtol=1e-5)  # all but the first
  np.testing.assert_allclose(other, 0.1 * 0.7, rtol=1e-5)

  def of_same(drawn):
    return _identity_terms([features[0], drawn, features[2]])[0]

  gradient = jax.grad(of_same)(features[1])
  assert not np.any(gradient[0])
  size = np.abs(features[1][1] - features[0][1]).mean()
  sign = np.sign(features[1][1] - features[0][1])
  wanted = 0.7 / size * sign / sign.size
  np.testing.assert_allclose(gradient[1], wanted, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize('file, steps', [('vggface.safetensors', 0), ('', 5)])
def test_identity_needs_a_network_and_a_time(file, steps):
  config = tools.make_x2face()
  config.perceptual, config.identity = (
    VGGFaceConfig(file),
    IdentityConfig(steps),
  )
  with pytest.raises(UserError, match='identity.num_steps go together'):
    experiments.make_recipe(config)


def test_a_missing_weight_file_is_named(tmp_path):
  config = tools.make_pix2pixhd()
  config.perceptual = VGG19Config(str(tmp_path / 'none.safetensors'))
  with pytest.raises(UserError, match='none.safetensors'):
    experiments.make_recipe(config)


def test_each_player_has_its_own_gradient():
  """Against the two losses written down apart, each by jax.grad."""
  config = tools.PIX2PIXHD
  networks = build_networks(config.model)
  params = tools.make_variables(config)
  batch = tiny_game.make_batch(config, 2)
  x = batch.frames[:, 0].astype(np.float32) / 127.5 - 1
  y = batch.frames[:, 1].astype(np.float32) / 127.5 - 1

  def draw(generator):
    return networks.generator.apply({'params': generator}, y)

  def judge(discriminator, frames):
    return networks.discriminator.apply({'params': discriminator}, frames, y)

  def generator_loss(generator):
    fake = draw(generator)
    of_fake = judge(params['discriminator'], fake)
    of_real = judge(params['discriminator'], x)
    loss = 20.0 * losses.pyramid_loss(fake, x)
    for f, r in zip(of_fake, of_real, strict=True):
      loss += jnp.mean((f.score - 1) ** 2)
      for a, b in zip(f.features, r.features, strict=True):
        loss += 10 / 2 * jnp.abs(a - b).mean()
    return loss

  def discriminator_loss(discriminator):
    of_fake = judge(
      discriminator, jax.lax.stop_gradient(draw(params['generator']))
    )
    of_real = judge(discriminator, x)
    return sum(
      jnp.mean(f.score**2) / 2 + jnp.mean((r.score - 1) ** 2) / 2
      for f, r in zip(of_fake, of_real, strict=True)
    )

  @jax.jit
  def both(params):
    content = pix2pixhd_losses.build_content(config)
    found = pix2pixhd_losses.gradients(
      params,
      x,
      y,
      networks=networks,
      content=lambda fake, real: content.apply({}, fake, real),
      weights=config.loss,
    )
    wanted = {
      'generator': jax.grad(generator_loss)(params['generator']),
      'discriminator': jax.grad(discriminator_loss)(params['discriminator']),
    }
    loss = sum(found.generator_terms), found.discriminator_terms.least_squares
    apart = (
      generator_loss(params['generator']),
      discriminator_loss(params['discriminator']),
    )
    return found.params, wanted, loss, apart

  found, wanted, loss, apart = both(params)
  np.testing.assert_allclose(loss, apart, rtol=1e-5)
  for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-5 + 1e-3 * np.abs(b).max())


def _head_batch():
  """Two frames of each of two rendered heads."""
  clips = [
    make_clip(seed=5, identity_index=i, num_frames=2, image_size=64)
    for i in range(2)
  ]
  frames, points = map(np.stack, zip(*clips, strict=True))
  return Batch(frames, points, np.arange(2, dtype=np.int32))


@pytest.mark.parametrize('name', list(tools.MAKERS))
def test_the_same_few_frames_are_learned(name):
  run = tools.Runner(tools.MAKERS[name](num_steps=1000), 1)
  _, metrics = run([_head_batch()] * NUM_STEPS)
  if name == 'x2face':
    terms = [float(m.x2face.photometric) for m in metrics]
  else:
    terms = [float(m.generator.content) for m in metrics]
  assert np.mean(terms[-5:]) < 0.7 * np.mean(terms[:5]), terms


def _assert_close(first, second):
  """Leaf by leaf, to what float64 rounds; some gradients are nothing else."""
  for a, b in zip(*map(jax.tree.leaves, (first, second)), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-12 + 1e-9 * np.abs(a).max())


def test_two_stages_on_any_number_of_devices(monkeypatch):
  config = tools.make_x2face(num_steps=2, batch_size=2)
  config.perceptual = VGGFaceConfig('file')
  config.identity = IdentityConfig(1)
  _stub_networks(monkeypatch, x2face, 'vggface')
  runs = [tools.Runner(config, count, float64=True) for count in (1, 2)]
  batch = _head_batch()
  for step in (0, 1):
    (one, (metrics,)), (two, (spread,)) = (run([batch], step) for run in runs)
    _assert_close(metrics, spread)
    # The momentum of a first step is its gradient.
    _assert_close(one.optimizer, two.optimizer)
    _assert_close(one.variables['batch_stats'], two.variables['batch_stats'])
    photometric = metrics.x2face.photometric
    # Four layers as strong as the photometric loss, and a tenth of it.
    wanted = [4 * photometric, photometric / 10, 0.1] if step else [0, 0, 1]
    found = [*metrics.x2face[1:], metrics.learning_rate_scale]
    np.testing.assert_allclose(found, wanted, rtol=1e-4)
    assert two.step == step + 1


def test_devices_change_nothing_for_pix2pixhd():
  config = tools.make_pix2pixhd(num_steps=1000)
  batch = _head_batch()
  (one, (metrics,)), (two, (spread,)) = (
    tools.Runner(config, count, float64=True)([batch]) for count in (1, 2)
  )
  _assert_close(metrics, spread)
  # Adam's first moments are the gradients, halved. What it does with them
  # would amplify the rounding of those that are zero.
  for name in ('generator', 'discriminator'):
    _assert_close(one.optimizers[name].mu, two.optimizers[name].mu)


@pytest.mark.parametrize('name', list(tools.MAKERS))
def test_resuming_changes_nothing(name, tmp_path, monkeypatch):
  source = [tiny_game.make_record(video, size=64) for video in range(5)]
  monkeypatch.setattr(loop.pipeline, 'make_source', lambda *_: source)
  config, halves = tools.MAKERS[name](), str(tmp_path / 'halves')
  recipe = experiments.make_recipe(config)
  whole, scalars = loop.train(recipe, config, str(tmp_path / 'whole'), 2)
  with monkeypatch.context() as patch:
    patch.setattr(loop.StopRequest, 'requested', lambda self, step: step == 2)
    with pytest.raises(RunPausedError, match='after step 2 and saved'):
      loop.train(recipe, config, halves, 2)
  resumed, _ = loop.train(recipe, config, halves, 2)
  assert resumed.step == 4
  tiny_game.assert_trees_equal(resumed, whole)
  assert 'people/l1' in scalars and 'norms/params' in scalars
  # And is read back, on one device, with its own config.
  its_config, read = experiments.restore(halves)
  assert its_config == config
  assert isinstance(read, experiments.find(config).state)
  tiny_game.assert_trees_equal(
    jax.tree.leaves(jax.device_get(read)),
    jax.tree.leaves(jax.device_get(whole)),
  )
  # Neither another baseline nor the model resumes in this folder.
  other = tools.MAKERS['x2face' if name == 'pix2pixhd' else 'pix2pixhd']()
  for stranger in (other, tiny_game.make_config()):
    with pytest.raises(UserError, match='holds a run with'):
      loop.train(recipe, stranger, halves, 2)


def test_a_method_without_an_identity_gets_no_warning_of_alike_people():
  assert not experiments.make_recipe(tools.PIX2PIXHD).knows_people
  assert experiments.make_recipe(tools.X2FACE).knows_people


def test_the_preview_follows_the_driver_not_the_landmarks():
  recipe = experiments.make_recipe(tools.X2FACE)
  state = types.SimpleNamespace(variables=tools.make_variables(tools.X2FACE))
  batch = tiny_game.make_batch(tools.X2FACE, 2)
  look = recipe.make_preview(batch)(state)
  moved = recipe.make_preview(batch._replace(points=batch.points[::-1]))(state)
  assert look.error == moved.error > 0
