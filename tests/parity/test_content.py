"""VGG19 and VGGFace against PyTorch: features and gradients of the input."""

import jax
import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch parity: make parity')
torchvision = pytest.importorskip('torchvision', reason='make parity')

from flaxheads.training import losses  # noqa: E402
from tests.parity import references as r  # noqa: E402

# After which modules of torchvision's `features` the losses look: the ReLUs
# of conv1_1, conv2_1, ... conv5_1.
RELUS = (1, 6, 11, 20, 29)


class Tapped(torch.nn.Module):
  """Torchvision's VGG19, returning the five ReLU outputs."""

  def __init__(self):
    super().__init__()
    self.features = torchvision.models.vgg19(weights=None).features

  def forward(self, x):
    found = []
    for i, layer in enumerate(self.features):
      # Not in place: what was found must stay as it is.
      x = torch.relu(x) if isinstance(layer, torch.nn.ReLU) else layer(x)
      if i in RELUS:
        found.append(x)
    return found


def _three(x, *values):
  return torch.tensor(values, dtype=x.dtype)[None, :, None, None]


def _caffe(x):
  mean = _three(x, 103.939, 116.779, 123.68)
  return (x.flip(1) + 1) / 2 * 255 - mean


def _matconvnet(x):
  mean = _three(x, 129.186279, 104.762382, 93.593964)
  return (x + 1) / 2 * 255 - mean


def _torchvision(x):
  mean = _three(x, 0.485, 0.456, 0.406)
  std = _three(x, 0.229, 0.224, 0.225)
  return ((x + 1) / 2 - mean) / std


CASES = {
  'vgg19': (Tapped, _caffe),
  'vgg19_torchvision': (Tapped, _torchvision),
  'vggface': (r.VGGFace, _matconvnet),
}


@pytest.fixture(scope='module', params=list(CASES))
def pair(request, tmp_path_factory):
  folder = tmp_path_factory.mktemp(request.param)
  make, to_input = CASES[request.param]
  model = r.randomise(make())
  file = r.save(model, folder / 'published.pth')
  network, variables = r.load_ours(request.param, [file], folder)
  return request.param, model, to_input, network, variables


def test_features(pair):
  name, model, to_input, network, variables = pair
  frames = r.frames_of(2, 64, 48)
  ours = jax.jit(network.apply)(variables, frames)
  theirs = model(to_input(r.to_torch(frames)))
  for block, (a, b) in enumerate(zip(ours, theirs, strict=True), 1):
    r.check(f'{name} conv{block}_1', a, r.to_numpy(b))


def test_gradient_of_the_content_loss(pair):
  # In float64: where rounding puts one value of a ReLU, a maximum or an L1 on
  # the other side, a whole pixel's gradient comes or goes.
  name, model, to_input, network, variables = pair
  with jax.enable_x64(True):
    network = network.clone(dtype=np.float64)
    variables, fake, real = jax.tree.map(
      np.float64,
      (variables, r.frames_of(1, 64, 48, 1), r.frames_of(1, 64, 48, 2)),
    )

    def our_loss(fake, real):
      real_features = network.apply(variables, real)
      return losses.features_loss(network.apply(variables, fake), real_features)

    ours, our_gradient = jax.jit(jax.value_and_grad(our_loss))(fake, real)
    assert our_gradient.dtype == np.float64
  model = model.double()
  x = r.to_torch(fake).requires_grad_()
  wanted = model(to_input(r.to_torch(real)))
  theirs = sum(
    (a - b.detach()).abs().mean()
    for a, b in zip(model(to_input(x)), wanted, strict=True)
  )
  theirs.backward()
  model.float()
  r.check(f'{name} content loss', [ours], [theirs.item()])
  r.check(f'{name} gradient of its input', our_gradient, r.to_numpy(x.grad))


@pytest.mark.parametrize('name', ['vgg19_keras', 'vggface_keras'])
def test_keras_files_give_the_same_network(name, tmp_path):
  h5py = pytest.importorskip('h5py', reason='make parity')
  is_19 = name == 'vgg19_keras'
  model = r.randomise((Tapped if is_19 else r.VGGFace)())
  convs = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d)]
  depths = (2, 2, 4, 4, 4) if is_19 else (2, 2, 3, 3, 3)
  layers = [
    (b, i) for b, depth in enumerate(depths, 1) for i in range(1, depth + 1)
  ]
  with h5py.File(tmp_path / 'weights.h5', 'w') as file:
    for (b, i), conv in zip(layers, convs, strict=True):
      group = f'block{b}_conv{i}' if is_19 else f'conv{b}_{i}'
      kernel = conv.weight.detach().numpy().transpose(2, 3, 1, 0)
      file[f'{group}/{group}_W_1:0'] = kernel
      file[f'{group}/{group}_b_1:0'] = conv.bias.detach().numpy()
  network, variables = r.load_ours(name, [tmp_path / 'weights.h5'], tmp_path)
  assert network.convention.channels == 'BGR'
  frames = r.frames_of(1, 32, 32)
  mean = torch.tensor(network.convention.mean)[None, :, None, None]
  x = (r.to_torch(frames).flip(1) + 1) * 127.5 - mean
  ours = jax.jit(network.apply)(variables, frames)
  for a, b in zip(ours, model(x), strict=True):
    r.check(f'{name} {np.shape(a)}', a, r.to_numpy(b))
