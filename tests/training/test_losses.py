"""Loss terms against numbers worked out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flaxheads.bilayer_config import BilayerConfig
from flaxheads.config import Config, LossConfig, PerceptualConfig
from flaxheads.errors import UserError
from flaxheads.metrics import identity
from flaxheads.models import perceptual
from flaxheads.training import content_loss, face_crops, losses
from flaxheads.weights import store, tensors
from flaxheads.weights.convention import Convention


def _pictures(count, size=32, seed=0):
  rng = np.random.default_rng(seed)
  return rng.uniform(-1, 1, (count, 1, size, size, 3)).astype(np.float32)


def test_hinge():
  fake, real = jnp.array([-2.0, 0.0, 1.0]), jnp.array([2.0, 0.5, -1.0])
  # (0 + 1 + 2) / 3 and (0 + 0.5 + 2) / 3
  assert losses.discriminator_loss(fake, real) == pytest.approx(5.5 / 3)


def test_adversarial_is_the_negated_mean():
  assert losses.adversarial_loss(jnp.array([3.0, -1.0])) == -1
  slope = jax.grad(losses.adversarial_loss)(jnp.array([30.0, -10.0]))
  np.testing.assert_array_equal(slope, [-0.5, -0.5])  # at any score


def test_features_are_averaged_in_a_layer_and_summed_over_layers():
  fake = [jnp.full((1, 2, 2, 3), 2.0), jnp.full((1, 1, 1, 5), -1.0)]
  real = [jnp.full((1, 2, 2, 3), 0.5), jnp.full((1, 1, 1, 5), 2.0)]
  assert losses.features_loss(fake, real) == pytest.approx(1.5 + 3)
  to_fake, to_real = jax.grad(losses.features_loss, argnums=(0, 1))(fake, real)
  assert all(np.all(leaf != 0) for leaf in to_fake)
  assert all(np.all(leaf == 0) for leaf in to_real)


def test_match_leaves_the_rows_alone():
  embedding, rows = jnp.array([[1.0, 2.0]]), jnp.array([[0.0, 5.0]])
  assert losses.match_loss(embedding, rows) == 2
  to_e, to_w = jax.grad(losses.match_loss, argnums=(0, 1))(embedding, rows)
  np.testing.assert_array_equal(to_e, [[0.5, -0.5]])
  np.testing.assert_array_equal(to_w, [[0, 0]])


def test_pyramid_is_zero_only_for_the_same_image():
  fake, real = _pictures(2)
  assert losses.pyramid_loss(fake, fake) == 0
  assert losses.pyramid_loss(fake, real) > 0.1
  near = fake.copy()
  near[0, 5, 5, 1] += 0.1
  assert losses.pyramid_loss(near, fake) > 0


def test_pyramid_is_symmetric_and_of_degree_one():
  fake, real = _pictures(2)
  loss = losses.pyramid_loss(fake, real)
  assert losses.pyramid_loss(real, fake) == pytest.approx(float(loss), 1e-5)
  assert losses.pyramid_loss(3 * fake, 3 * real) == pytest.approx(
    3 * float(loss), 1e-5
  )


def test_pyramid_of_one_colour_is_its_distance():
  # A constant has no bands but the last.
  fake = jnp.full((1, 32, 32, 3), 0.75)
  assert losses.pyramid_loss(fake, fake - 0.5) == pytest.approx(0.5, 1e-5)


def test_pyramid_weighs_bands_alike():
  # A checkerboard has only the finest band, a constant only the coarsest.
  board = np.indices((32, 32)).sum(0) % 2 * 2.0 - 1
  fine = np.broadcast_to(board[None, :, :, None], (1, 32, 32, 3))
  zero = np.zeros_like(fine)
  assert losses.pyramid_loss(fine, zero) == pytest.approx(1, 1e-5)
  assert losses.pyramid_loss(zero + 1, zero) == pytest.approx(1, 1e-5)


def test_without_weights_the_content_loss_is_the_weighted_pyramid():
  config = Config(loss=LossConfig(pyramid=7.0))
  found = content_loss.build_content(config)
  assert found.params == {}
  fake, real = _pictures(2)
  wanted = 7 * losses.pyramid_loss(fake, real)
  assert found.apply({}, fake, real) == pytest.approx(float(wanted), 1e-6)


@pytest.fixture(scope='module')
def vgg_files(tmp_path_factory):
  """Weight files of both networks, with small random numbers."""
  folder, files = tmp_path_factory.mktemp('vgg'), {}
  image = jnp.zeros((1, 32, 32, 3))
  rng = np.random.default_rng(0)
  for name, network in content_loss._networks(jnp.float32).items():
    shapes = jax.eval_shape(network.init, jax.random.key(0), image)['params']
    noise = rng.standard_normal(1 << 16, np.float32)
    params = jax.tree.map(
      lambda leaf, noise=noise: (
        np.resize(noise, leaf.shape)
        * np.float32(np.sqrt(2 / np.prod(leaf.shape[:-1])))
      ),
      shapes,
    )
    files[name] = str(folder / f'{name}.safetensors')
    store.save(files[name], name, params, network.convention)
  return files


def test_with_weights_it_is_both_networks_at_their_weights(vgg_files):
  config = Config(perceptual=PerceptualConfig(**vgg_files))
  config.model.dtype = 'float32'
  found = content_loss.build_content(config)
  assert set(found.params) == {'vgg19', 'vggface', 'vgg16'}
  fake, real = _pictures(2, size=16)
  points = np.full((1, 68, 2), 8.0)
  points[:, 8, 1], points[:, 27, 1] = 14, 6  # chin and bridge
  networks = content_loss._networks(jnp.float32)

  @jax.jit
  def both(params):
    total = found.apply(params, fake, real, points)
    face = [face_crops.enlarge(x, points) for x in (fake, real)]
    parts = {
      name: losses.features_loss(
        *(
          networks[name].apply({'params': params[name]}, x)
          for x in (face if name == 'vggface' else (fake, real))
        )
      )
      for name in params
    }
    return total, parts

  total, parts = both(found.params)
  wanted = (
    1.5e-1 * parts['vgg19'] + 2.5e-2 * parts['vggface'] + 8.5 * parts['vgg16']
  )
  assert parts['vgg19'] > 0.1 and parts['vggface'] > 0.1
  assert total == pytest.approx(float(wanted), 1e-4)


def test_one_file_alone_is_allowed_and_the_wrong_one_is_not(vgg_files):
  config = Config(perceptual=PerceptualConfig(vgg19=vgg_files['vgg19']))
  assert set(content_loss.build_content(config).params) == {'vgg19'}
  config = Config(perceptual=PerceptualConfig(vggface=vgg_files['vgg19']))
  with pytest.raises(UserError, match="weights of 'vgg19'; vggface is needed"):
    content_loss.build_content(config)


def test_average_pooling_is_an_option():
  config = PerceptualConfig(pooling='average')
  pool = content_loss._POOLS[config.pooling]
  network = perceptual.VGG((1, 1), perceptual.vgg19().convention, pool=pool)
  x = _pictures(1, size=16)[0]
  params = network.init(jax.random.key(0), x)
  features = network.apply(params, x)
  kernel = params['params']['conv2_1']['kernel']
  pooled = np.asarray(features[0]).reshape(1, 8, 2, 8, 2, 64).mean((2, 4))
  wanted = jax.lax.conv_general_dilated(
    pooled, kernel, (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
  )
  np.testing.assert_allclose(
    features[1], np.maximum(wanted, 0), rtol=1e-4, atol=1e-3
  )
  with pytest.raises(UserError, match="perceptual.pooling: 'mean' is not one"):
    PerceptualConfig(pooling='mean')


class _MeanColours:
  """An embedding of twelve numbers in the place of dlib's network."""

  def apply(self, variables, faces):
    parts = faces.reshape(len(faces), 2, 75, 2, 75, 3).mean((2, 4))
    return parts.reshape(len(faces), -1) * variables['params']


def test_the_identity_term_is_one_minus_the_cosine():
  fake, real = _pictures(2, size=64)
  points = np.random.default_rng(0).uniform(16, 48, (1, 68, 2))

  @jax.jit
  def loss(fake, real):
    return content_loss.identity_loss(_MeanColours(), 3.0, fake, real, points)

  a, b = (
    np.asarray(
      _MeanColours().apply(
        {'params': 1.0}, face_crops.align(x, points, identity.DLIB)
      )
    )
    for x in (fake, real)
  )
  wanted = 1 - identity.cosine_similarity(a, b).mean()
  assert loss(fake, real) == pytest.approx(wanted, abs=1e-5)
  assert loss(real, real) == pytest.approx(0, abs=1e-5)
  to_fake, to_real = jax.jit(jax.grad(loss, argnums=(0, 1)))(fake, real)
  assert np.any(to_fake) and not np.any(to_real)


@pytest.mark.parametrize('cls', [Config, BilayerConfig])
def test_the_identity_term_needs_a_file_and_a_weight(cls):
  config = cls()
  assert content_loss.load_identity(config)[0] == {}
  config.loss.identity = 1.0
  with pytest.raises(UserError, match='perceptual.dlib_resnet and loss.ident'):
    content_loss.load_identity(config)
  config.perceptual.dlib_resnet = '/none.safetensors'
  with pytest.raises(UserError, match='/none.safetensors: no such file'):
    content_loss.load_identity(config)
  config.loss.identity = 0.0
  with pytest.raises(UserError, match='go together'):
    content_loss.load_identity(config)


def _loss_of_file(path, fake, real):
  config = Config(perceptual=PerceptualConfig(vgg19=str(path)))
  config.model.dtype = 'float32'
  found = content_loss.build_content(config)
  return float(found.apply(found.params, fake, real, None))


def test_the_network_sees_what_the_file_says(vgg_files, tmp_path):
  # The same weights for RGB in [0, 1]: the first kernel is turned and scaled,
  # its bias takes the mean, and the loss must not change.
  fake, real = _pictures(2, size=16)
  params = tensors.load_tree(vgg_files['vgg19'])
  caffe = perceptual.vgg19().convention
  first = params['conv1_1']['kernel']
  params['conv1_1']['kernel'] = first[:, :, ::-1] * 255
  mean = tuple(value / 255 for value in caffe.mean[::-1])
  other = Convention('RGB', 0.0, 1.0, mean, (1.0,) * 3)
  path = tmp_path / 'rgb.safetensors'
  store.save(path, 'vgg19', params, other)
  wanted = _loss_of_file(vgg_files['vgg19'], fake, real)
  assert _loss_of_file(path, fake, real) == pytest.approx(wanted, 1e-4)
  # And a wrong convention does change it: the metadata are not decoration.
  store.save(path, 'vgg19', params, other._replace(channels='BGR'))
  assert _loss_of_file(path, fake, real) != pytest.approx(wanted, 1e-2)


def test_weights_without_a_convention_are_refused(vgg_files, tmp_path):
  path = str(tmp_path / 'bare.safetensors')
  tensors.save_tree(path, tensors.load_tree(vgg_files['vgg19']))
  config = Config(perceptual=PerceptualConfig(vgg19=path))
  with pytest.raises(UserError, match='no input convention') as caught:
    content_loss.build_content(config)
  assert path in str(caught.value)


def test_the_two_sets_of_weights_of_the_paper():
  first, second = LossConfig.v1(), LossConfig.v2()
  assert (first.vgg19, first.vggface, first.match) == (1e-2, 2e-3, 80)
  assert (second.vgg19, second.vggface, second.match) == (1.5e-1, 2.5e-2, 10)
  for weights in (first, second):
    assert weights.feature_matching == 10
    assert weights.adversarial == 1
