"""The reference's steps as programs for the clock."""

import numpy as np
import torch
from torch.nn import functional

from tests.benchmark import clock
from tests.benchmark.meta_train import vggs as make_vggs
from tests.benchmark.reference import networks, training, weights
from tests.benchmark.sizes import Size

DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'


def options(autocast: bool) -> dict[str, training.Options]:
  """The ways that are tried, by name.

  Args:
    autocast: whether activations are bfloat16.
  """
  tried = {
    'eager': training.Options(),
    'channels last': training.Options(channels_last=True),
    'channels last, two passes': training.Options(False, True),
    'compiled': training.Options(False, False, True),
    'compiled, channels last': training.Options(False, True, True),
  }
  tried = {name: way._replace(autocast=autocast) for name, way in tried.items()}
  if autocast:
    tried['eager float32'] = training.Options()
  return tried


def facts() -> dict:
  """The settings that the table states."""
  return {
    'torch': torch.__version__,
    'device': DEVICE,
    'threads': torch.get_num_threads(),
    'cudnn_benchmark': torch.backends.cudnn.benchmark,
  }


def _synchronise():
  if DEVICE == 'cuda':
    torch.cuda.synchronize()


def _vggs():
  made = make_vggs(np.float32)
  return {
    name: weights.build_vgg(network.depths, network.convention, params).to(
      DEVICE
    )
    for name, (network, params) in made.items()
  }


def _place(option, *tensors):
  """On the device, four-dimensional ones in the option's memory format."""
  placed = [tensor.to(DEVICE) for tensor in tensors]
  if option.channels_last:
    placed = [
      t.contiguous(memory_format=torch.channels_last) if t.ndim == 4 else t
      for t in placed
    ]
  return placed


def _noise(*shape):
  return torch.rand(*shape) * 2 - 1


def meta_training(size: Size, name, option, num_videos) -> clock.Program:
  """A step of meta-training."""
  config = size.experiment
  b, k = config.training.batch_size, config.data.num_support
  side = config.model.image_size
  run = training.MetaTraining(
    config,
    networks.Embedder(config.model).to(DEVICE),
    networks.Generator(config.model).to(DEVICE),
    networks.Discriminator(config.model).to(DEVICE),
    torch.randn(num_videos, config.model.embedding_size, device=DEVICE),
    _vggs(),
    option,
  )
  pictures = [_noise(b, k, 3, side, side) for _ in range(2)]
  pictures += [_noise(b, 3, side, side) for _ in range(2)]
  batch = training.Batch(
    *_place(option, *pictures, torch.arange(b) % num_videos)
  )

  def step():
    run.step(batch)
    _synchronise()

  return clock.Program(f'PyTorch, {name}', step)


def finetuning(size: Size, name, option, pictures) -> clock.Program:
  """A step of fine-tuning."""
  config = size.experiment
  generator = networks.Generator(config.model).to(DEVICE)
  psi = torch.zeros(sum(generator.slices), device=DEVICE)
  rows = torch.zeros(config.model.embedding_size, device=DEVICE)
  discriminator = networks.Discriminator(config.model).to(DEVICE)
  run = training.Finetuning(
    config, generator, discriminator, psi, rows, _vggs(), option
  )
  given = _place(
    option, *(torch.from_numpy(p).permute(0, 3, 1, 2) for p in pictures)
  )

  def step():
    run.step(*given)
    _synchronise()

  return clock.Program(f'PyTorch, {name}', step)


def animation(size: Size, name, option, count) -> clock.Program:
  """Landmark images on the device to uint8 frames on the host."""
  config = size.experiment
  generator = networks.fold(networks.Generator(config.model)).to(DEVICE).eval()
  generator = option.place(generator).requires_grad_(False)
  draw = option.compile(generator)
  psi = torch.zeros(1, sum(generator.slices), device=DEVICE)
  side = config.model.image_size
  (pictures,) = _place(option, _noise(count, 3, side, side))

  @torch.inference_mode()
  def run():
    with torch.autocast(DEVICE, torch.bfloat16, enabled=option.autocast):
      frames = draw(pictures, psi.expand(count, -1))
    frames = ((frames + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    frames.permute(0, 2, 3, 1).cpu()

  return clock.Program(f'PyTorch, {name}', run)


def convolution(shape, part, channels_last) -> clock.Program:
  """One of convolutions.PARTS, by its number."""
  memory_format = (
    torch.channels_last if channels_last else torch.contiguous_format
  )
  x, kernel, cotangent = (
    torch.from_numpy(tensor)
    .permute(order)
    .to(DEVICE)
    .contiguous(memory_format=memory_format)
    .requires_grad_()
    for tensor, order in zip(
      shape.tensors(), [(0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2)], strict=True
    )
  )

  def convolve():
    up = shape.resample == 'up'
    seen = functional.interpolate(x, scale_factor=2) if up else x
    y = functional.conv2d(seen, kernel, padding=shape.padding)
    return functional.avg_pool2d(y, 2) if shape.resample == 'down' else y

  y = convolve()

  def run():
    if part == 0:
      with torch.inference_mode():
        convolve()
    else:
      asked = x if part == 1 else kernel
      torch.autograd.grad(y, asked, cotangent, retain_graph=True)
    _synchronise()

  layout = 'channels last' if channels_last else 'channels first'
  return clock.Program(f'PyTorch, {layout}', run)
