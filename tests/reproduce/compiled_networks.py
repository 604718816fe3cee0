"""Every network of the package compiled, against itself in float64.

  python -m tests.reproduce.compiled_networks

jaxlib 0.10.2 computes one pattern of fused convolutions wrongly on CPUs, see
tests/models/test_compiled.py, which checks without compiling anything that no
network has the depthwise convolution of that pattern. This script runs all of
them. The reference runs operation by operation, because the pattern is compiled
wrongly in float64 too.

Measured 2026-11-29, jaxlib 0.10.2: at most 3.8e-6 of the largest output for
detector, mesh, embedder, generator, bi-layer generator, mouth network, dlib,
iResNet and SFace. The others are not yet run.
"""

import functools

import jax
import numpy as np

from flaxheads.baselines.pix2pixhd.networks import (
  GlobalGenerator,
  MultiscaleDiscriminator,
)
from flaxheads.baselines.x2face.network import X2Face
from flaxheads.landmarks import face_networks
from flaxheads.models.bilayer import NUM_FEATURES, BilayerGenerator
from flaxheads.models.discriminator import Discriminator
from flaxheads.models.dlib_resnet import DlibResNet
from flaxheads.models.embedder import Embedder
from flaxheads.models.generator import Generator
from flaxheads.models.inception import InceptionV3
from flaxheads.models.iresnet import IResNet
from flaxheads.models.lpips import LPIPS
from flaxheads.models.sface import SFace
from flaxheads.speech.features import NUM_BANDS
from flaxheads.speech.network import MouthNetwork

MAX_ERROR = 1e-3  # of the largest output; the defect gives 0.65


def _fill(shapes, rng):
  """Parameters of a size that keeps activations where they are."""

  def fill(path, leaf):
    value = rng.standard_normal(leaf.shape)
    if len(leaf.shape) > 1:
      return value * np.sqrt(2 / max(np.prod(leaf.shape[:-1]), 1))
    positive = path[-1].key in ('scale', 'var', 'slope')
    return rng.uniform(0.5, 1.5, leaf.shape) if positive else 0.1 * value

  return jax.tree_util.tree_map_with_path(fill, shapes)


def _flax(module, *inputs, **how):
  """A case: a function of (variables, inputs), and shapes of both."""
  shapes = [jax.ShapeDtypeStruct(shape, np.float32) for shape in inputs]
  init = functools.partial(module.init, **how)
  variables = jax.eval_shape(init, jax.random.key(0), *shapes)
  return functools.partial(module.apply, **how), variables, inputs


def _bilayer():
  module = BilayerGenerator(32, 8, 16, 1, 8)
  psi = (1, module.num_adain_params)
  return _flax(module, (1, 32, 32, NUM_FEATURES), (1, 32, 32, 3), psi)


def _generator():
  module = Generator(64, 8, 16, 1, 16)
  return _flax(module, (1, 64, 64, 3), (1, module.num_adain_params))


FRAME = 1, 64, 64, 3
CASES = {
  # Of the size and with the weights that they always have.
  'detector': lambda: (face_networks.detect, None, ((1, 192, 192, 3),)),
  'mesh': lambda: (face_networks.mesh, None, ((1, 192, 192, 3),)),
  'embedder': lambda: _flax(Embedder(64, 8, 16, 16), FRAME, FRAME),
  'generator': _generator,
  'discriminator': lambda: _flax(
    Discriminator(64, 8, 16, 16), FRAME, FRAME, (1, 16)
  ),
  'bi-layer generator': _bilayer,
  'x2face': lambda: _flax(X2Face(8, 16), (1, 1, 64, 64, 3), (1, 64, 64, 3)),
  'pix2pixHD generator': lambda: _flax(GlobalGenerator(8, 2, 1), FRAME),
  'pix2pixHD discriminator': lambda: _flax(
    MultiscaleDiscriminator(8, 2), FRAME, FRAME
  ),
  'mouth network': lambda: _flax(MouthNetwork(), (1, 16, NUM_BANDS)),
  'LPIPS, AlexNet': lambda: _flax(LPIPS('alex'), FRAME, FRAME),
  'LPIPS, VGG': lambda: _flax(LPIPS('vgg'), (1, 32, 32, 3), (1, 32, 32, 3)),
  'Inception': lambda: _flax(InceptionV3(), (1, 32, 32, 3)),
  'dlib': lambda: _flax(DlibResNet(), (1, 96, 96, 3)),
  'iResNet': lambda: _flax(
    IResNet(((1, 1, 1, 1), (8, 8, 16, 16), 16)), (1, 32, 32, 3)
  ),
  'SFace': lambda: _flax(SFace(), (1, 32, 32, 3)),
}


def relative_error(name: str) -> float:
  """The largest difference, as a share of the largest output."""
  network, variables, shapes = CASES[name]()
  rng = np.random.default_rng(0)
  inputs = [rng.uniform(-1, 1, shape) for shape in shapes]
  if variables is None:
    variables = face_networks.load_params()[name]
    inputs = [127.5 * (x + 1) for x in inputs]
  else:
    variables = _fill(variables, rng)

  def cast(dtype):
    return jax.tree.map(
      lambda x: x.astype(dtype) if x.dtype.kind == 'f' else x,
      (variables, *inputs),
    )

  found = jax.device_get(jax.tree.leaves(jax.jit(network)(*cast(np.float32))))
  jax.clear_caches()  # indices are cached in the width that they had
  with jax.disable_jit(), jax.enable_x64(True):
    wanted = jax.device_get(jax.tree.leaves(network(*cast(np.float64))))
  return max(
    float(np.abs(x - y).max() / np.abs(y).max())
    for x, y in zip(found, wanted, strict=True)
  )


def main():
  """Prints a line for each network and fails at the first wrong one."""
  for name in CASES:
    error = relative_error(name)
    print(f'{name}: {error:.1e}', flush=True)
    if error > MAX_ERROR:
      raise SystemExit(f'{name}: compiled wrongly')


if __name__ == '__main__':
  main()
