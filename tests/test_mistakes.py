"""The mistakes found in public reimplementations: one test for each.

Numbers 2, 3 and 12 concern the reading of records; their tests are in
tests/data/test_pipeline.py. Numbers 1, 10 and 15 concern fine-tuning; theirs
are in tests/fewshot/test_mistakes_of_finetuning.py, with that of 20; those of
17 and 18 in tests/fewshot/test_finetuning.py. Numbers 16 and 19 concern W; see
tests/training/test_mistakes_of_w.py. Number 14 is in
tests/training/test_checkpoints.py.
"""

import ast
import functools
import pathlib
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flaxheads import config as c
from flaxheads.data import pixels
from flaxheads.data.batch import Batch
from flaxheads.landmarks import host_raster
from flaxheads.models import embedder, perceptual
from flaxheads.models.discriminator import Discriminator, DiscriminatorOutput
from flaxheads.models.generator import Generator
from flaxheads.training import (
  content_loss,
  identity_table,
  losses,
  model_inputs,
  objectives,
  parallel,
)
from flaxheads.training.state import STATE_SPECS
from tests import tiny_game

SIZE = 64  # of the experiment: two up blocks, of different widths

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture(scope='module')
def experiment():
  config = tiny_game.make_config(discriminator_updates=1)
  config.model.image_size = SIZE
  return config


@pytest.fixture(scope='module')
def model(experiment):
  return tiny_game.make_model(experiment)


def _identity_vgg(network):
  """Parameters whose conv1_1 hands on its three inputs, and negated."""
  image = jnp.zeros((1, 16, 16, 3))
  shapes = jax.eval_shape(network.init, jax.random.key(0), image)['params']
  params = jax.tree.map(lambda leaf: np.zeros(leaf.shape), shapes)
  for channel in range(3):
    params['conv1_1']['kernel'][1, 1, channel, channel] = 1
    params['conv1_1']['kernel'][1, 1, channel, channel + 3] = -1
  return params


@pytest.mark.parametrize(
  'network, mean',
  [
    # B, G, R: of ImageNet, and of the VGG-Face data.
    (perceptual.vgg19(), (103.939, 116.779, 123.68)),
    (perceptual.vggface(), (93.5940, 104.7624, 129.1863)),
  ],
)
def test_mistake_04_vgg_sees_bgr_bytes_less_the_mean(network, mean):
  red, green, blue = 255.0, 51.0, 0.0
  rgb = np.array([red, green, blue]) / 127.5 - 1
  picture = jnp.broadcast_to(rgb.astype(np.float32), (1, 16, 16, 3))
  first = network.apply({'params': _identity_vgg(network)}, picture)[0]
  positive, negative = first[0, 8, 8, :3], first[0, 8, 8, 3:6]
  wanted = np.array([blue, green, red]) - mean
  np.testing.assert_allclose(positive - negative, wanted, atol=1e-3)


def _toy_networks():
  """Two networks small enough to differentiate by hand, with all couplings."""
  rng = np.random.default_rng(0)
  inputs = rng.normal(size=(4, 5)).astype(np.float32)
  real = rng.normal(size=(4, 6)).astype(np.float32)
  generator = {
    'e': rng.normal(size=(5, 3)).astype(np.float32),
    'g': rng.normal(size=(3, 6)).astype(np.float32),
  }
  discriminator = {
    'v': rng.normal(size=(6, 3)).astype(np.float32),
    'rows': rng.normal(size=(4, 3)).astype(np.float32),
  }

  def generate(params):
    embedding = jnp.tanh(inputs @ params['e'])
    return jnp.tanh(embedding @ params['g']), embedding

  def discriminate(params, frames, is_real):
    del is_real
    hidden = jnp.tanh(frames @ params['v'])
    features = [hidden[:, None, None]]
    return DiscriminatorOutput((hidden * params['rows']).sum(-1), features)

  return generator, discriminator, real, generate, discriminate


def _play(weights, content_weight=0.0):
  generator, discriminator, real, generate, discriminate = _toy_networks()
  return objectives.gradients(
    generator,
    discriminator,
    real,
    generate=generate,
    discriminate=discriminate,
    content=lambda fake, real: content_weight * jnp.abs(fake - real).mean(),
    weights=weights,
    rows=discriminator['rows'],
  )


def _weights(**given):
  none = {'adversarial': 0.0, 'feature_matching': 0.0, 'match': 0.0}
  return SimpleNamespace(**{**none, **given})


def _norm(tree):
  return sum(float(jnp.abs(leaf).sum()) for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize(
  'term', ['content', 'adversarial', 'feature_matching', 'match']
)
def test_mistake_05_every_term_has_a_gradient(term):
  given = {} if term == 'content' else {term: 1.0}
  found = _play(_weights(**given), content_weight=float(term == 'content'))
  assert _norm(found.generator['e']) > 1e-3
  assert (_norm(found.generator['g']) > 1e-3) == (term != 'match')


def test_mistake_05_both_content_losses_have_a_gradient():
  weights = c.LossConfig()
  rng = np.random.default_rng(0)
  fake, real = rng.uniform(-1, 1, (2, 1, 16, 16, 3)).astype(np.float32)
  network = perceptual.vgg19()
  perceptual_loss = content_loss.perceptual_content(
    {'vgg19': _identity_vgg(network)}, weights, {'vgg19': network}
  )
  for loss in (content_loss.pyramid_content(weights), perceptual_loss):
    apply = functools.partial(loss.apply, loss.params)
    to_fake, to_real = jax.jit(jax.grad(apply, argnums=(0, 1)))(fake, real)
    assert np.mean(to_fake != 0) > 0.9
    assert not np.any(to_real)


def test_mistake_06_the_two_steps_do_not_cancel():
  _, discriminator, real, generate, discriminate = _toy_networks()

  def generator_loss(params):
    fake, _ = generate(params)
    return -discriminate(discriminator, fake, False).score.mean()

  def hinge(params, fake):
    low, high = (discriminate(params, x, x is real).score for x in (fake, real))
    return jnp.maximum(0, 1 + low).mean() + jnp.maximum(0, 1 - high).mean()

  params = _toy_networks()[0]
  found = _play(_weights(adversarial=1.0))
  jax.tree.map(
    functools.partial(np.testing.assert_allclose, atol=1e-6),
    found.generator,
    jax.grad(generator_loss)(params),
  )
  jax.tree.map(
    functools.partial(np.testing.assert_allclose, atol=1e-6),
    found.discriminator,
    jax.grad(hinge)(discriminator, generate(params)[0]),
  )


def _score(experiment, model, rows):
  sizes = experiment.model
  network = Discriminator(
    sizes.image_size,
    sizes.base_channels,
    sizes.max_channels,
    sizes.embedding_size,
  )
  frames, points = tiny_game.make_faces(2, size=SIZE)
  x = pixels.to_float(frames)
  y = host_raster.landmark_images(points, SIZE)
  params = {'params': model.params['discriminator']}
  return jax.jit(lambda rows: network.apply(params, x, y, rows).score)(rows)


def test_mistake_07_scores_are_not_squashed(experiment, model):
  # The hinge is exactly zero beyond its margins and linear within them.
  assert losses.discriminator_loss(jnp.array([-1.5]), jnp.array([1.5])) == 0
  assert losses.discriminator_loss(jnp.array([3.0]), jnp.array([-4.0])) == 9
  assert losses.adversarial_loss(jnp.array([7.0, 5.0])) == -6
  # The score is affine in W_i, whatever its size.
  rng = np.random.default_rng(0)
  rows = 1000 * rng.normal(size=(2, tiny_game.EMBEDDING_SIZE))
  zero, one, two = (_score(experiment, model, rows * i) for i in range(3))
  assert np.abs(one - zero).min() > 10
  np.testing.assert_allclose(two - zero, 2 * (one - zero), rtol=1e-3)


def _generator(experiment):
  sizes = experiment.model
  return Generator(
    sizes.image_size,
    sizes.base_channels,
    sizes.max_channels,
    sizes.num_residual_blocks,
    sizes.bottleneck_size,
  )


def test_mistake_08_every_adain_layer_reads_its_own_slice(experiment, model):
  network = _generator(experiment)
  # One residual block of 16 channels at 16²; up blocks 16-8 and 8-8, each
  # normalising its input and its output; 8 before the last convolution.
  layers = (16, 16, 16, 8, 8, 8, 8)
  assert network.num_adain_params == 2 * sum(layers)
  _, points = tiny_game.make_faces(1, size=SIZE)
  y = host_raster.landmark_images(points, SIZE)
  params = model.params['generator']
  rng = np.random.default_rng(0)
  psi = 0.3 * rng.normal(size=(1, 2 * sum(layers))).astype(np.float32)
  colours = rng.normal(size=(1, SIZE, SIZE, 3))

  @jax.jit
  def slopes(psi, y):
    def loss(psi, y):
      return (network.apply({'params': params}, y, psi) * colours).sum()

    return jax.grad(loss, argnums=(0, 1))(psi, y)

  # An untrained P says almost nothing: the image must come through.
  _, to_landmarks = slopes(np.zeros_like(psi), y)
  assert np.abs(to_landmarks).max() > 1e-3
  to_psi, _ = slopes(psi, y)
  assert (np.asarray(to_psi) != 0).all()


def test_mistake_09_rows_of_other_videos_and_their_moments_rest():
  settings = {'learning_rate': 0.1, 'b2': 0.99, 'epsilon': 1e-5}
  table = identity_table.init_table(jax.random.key(0), 64, 4, 0.1)
  mesh = parallel.make_mesh(1)
  update = parallel.pmap(
    functools.partial(identity_table.update, **settings),
    mesh,
    in_specs=(
      STATE_SPECS.table,
      parallel.SHARDED,
      parallel.SHARDED,
      parallel.REPLICATED,
    ),
    out_specs=STATE_SPECS.table,
  )
  rng = np.random.default_rng(0)
  gradients = rng.normal(size=(2, 2, 4)).astype(np.float32)
  start = np.array(table.rows)
  once = update(table, np.array([0, 1], np.int32), gradients[0], np.int32(1))
  twice = update(once, np.array([1, 2], np.int32), gradients[1], np.int32(2))
  for leaf, after in zip(
    jax.tree.leaves(once), jax.tree.leaves(twice), strict=True
  ):
    np.testing.assert_array_equal(leaf[0], after[0])
    np.testing.assert_array_equal(leaf[3:], after[3:])
  np.testing.assert_array_equal(twice.rows[3:], start[3:])
  assert twice.last_visit[:4].tolist() == [1, 2, 2, 0]


def test_mistake_11_space_is_summed(experiment, model):
  x = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype(np.float32)
  wanted = np.maximum(x.sum((1, 2)), 0)
  np.testing.assert_allclose(embedder.pool(x, 'sum_relu'), wanted, rtol=1e-5)
  # E of a frame is that sum over the last block of its trunk.
  sizes = experiment.model
  given = (sizes.image_size, sizes.base_channels, sizes.max_channels)
  trunk = embedder.Trunk(*given, sizes.embedding_size)
  params = model.params['embedder']
  frames, points = tiny_game.make_faces(1, size=SIZE)
  frames = pixels.to_float(frames)
  y = host_raster.landmark_images(points, SIZE)

  @jax.jit
  def both():
    whole = model.networks.embedder.apply({'params': params}, frames, y)
    return whole, trunk.apply({'params': params['trunk']}, frames, y)[-1]

  whole, last = both()
  assert last.shape == (1, 4, 4, tiny_game.EMBEDDING_SIZE)
  wanted = np.maximum(np.sum(last, (1, 2)), 0)
  np.testing.assert_allclose(whole, wanted, rtol=1e-4)


def _imports(path):
  for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
    if isinstance(node, ast.ImportFrom):
      yield from (f'{node.module}.{alias.name}' for alias in node.names)
    elif isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)


def test_mistake_13_the_step_draws_on_the_device(experiment):
  config = experiment
  batch = tiny_game.make_batch(config, 1)
  prepare = parallel.pmap(
    functools.partial(
      model_inputs.prepare_inputs, key=jax.random.key(0), config=config
    ),
    parallel.make_mesh(1),
    in_specs=(parallel.SHARDED,),
    out_specs=parallel.SHARDED,
  )
  program = str(prepare.trace(Batch(*batch)).jaxpr)
  assert 'callback' not in program
  for folder in ('training', 'models'):
    for path in (ROOT / 'flaxheads' / folder).glob('*.py'):
      for name in _imports(path):
        assert not name.startswith(
          ('matplotlib', 'cv2', 'PIL', 'flaxheads.landmarks.detect')
        ), f'{path.name} imports {name}'
