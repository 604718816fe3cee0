"""Meta-training and fine-tuning of the reference, as flaxheads does them.

One pass of D on x̂ serves both steps where `shared` is on, by
`backward(inputs=...)` with the parameters of each; otherwise D runs on x̂ once
for the generator step, its parameters frozen, and once more for its own.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch

from flaxheads.config import Config, LossConfig
from tests.benchmark.reference import losses
from tests.benchmark.reference.networks import advance
from tests.benchmark.reference.rows import Rows


class Batch(NamedTuple):
  """Float32 pictures in [-1, 1], NCHW, their landmark images, and rows."""

  support_frames: torch.Tensor  # [B, K, 3, H, W]
  support_landmarks: torch.Tensor
  target_frame: torch.Tensor  # [B, 3, H, W]
  target_landmarks: torch.Tensor
  video_index: torch.Tensor  # int64 [B]


def make_content(config: LossConfig, vggs: dict) -> Callable:
  """(x̂, x) -> weighted L_CNT: of {'vgg19', 'vggface'}, or the pyramid's."""

  def content(fake, real):
    if not vggs:
      return config.pyramid * losses.pyramid_loss(fake, real)
    total = 0.0
    for name, network in vggs.items():
      with torch.no_grad():
        wanted = network(real)
      term = losses.features_loss(network(fake), wanted)
      total = total + getattr(config, name) * term
    return total

  return content


class Options(NamedTuple):
  """How the reference runs; the clock tries several.

  Attributes:
    shared: one pass of D on x̂ serves both players.
    channels_last: memory format of pictures and kernels.
    compiled: torch.compile of what runs forward, and so of its gradients.
    autocast: activations in bfloat16.
  """

  shared: bool = True
  channels_last: bool = False
  compiled: bool = False
  autocast: bool = False

  def place(self, network):
    """A network in the wanted memory format."""
    last, keep = torch.channels_last, torch.preserve_format
    return network.to(memory_format=last if self.channels_last else keep)

  def compile(self, function):
    return torch.compile(function) if self.compiled else function


class _Game:
  """Gradients of both steps; see flaxheads/training/objectives.py."""

  def __init__(self, config: Config, content, options: Options):
    self.weights, self.options = config.loss, options
    self.content = options.compile(content)

  def _generator_terms(self, fake, real, output, real_features, match):
    weights = self.weights
    return {
      'content': self.content(fake, real),
      'adversarial': -weights.adversarial * output[0].mean(),
      'feature_matching': weights.feature_matching
      * losses.features_loss(output[1], real_features),
      'match': match,
    }

  def play(self, fake, real, match, discriminate, generator, discriminator):
    """Sets `.grad` of both players' tensors.

    Args:
      fake: x̂, with its graph.
      real: x.
      match: weighted L_MCH.
      discriminate: (frames, is_real) -> (scores, features).
      generator: the tensors that G's side trains.
      discriminator: those of D's side.

    Returns:
      The terms of both losses, detached.
    """
    real_output = discriminate(real, True)
    shared = self.options.shared
    for tensor in discriminator:
      tensor.requires_grad_(shared)
    output = discriminate(fake, False)
    terms = self._generator_terms(fake, real, output, real_output[1], match)
    total = sum(terms.values())
    _set_gradients(total, generator, retain_graph=shared)
    if not shared:
      for tensor in discriminator:
        tensor.requires_grad_(True)
      output = discriminate(fake.detach(), False)
    terms['hinge'] = losses.hinge(real_output[0], output[0])
    _set_gradients(terms['hinge'], discriminator)
    return {
      name: torch.as_tensor(term).detach() for name, term in terms.items()
    }

  def play_again(self, fake, real, discriminate, discriminator):
    """Sets `.grad` of D's side alone, on the same x̂."""
    loss = losses.hinge(
      discriminate(real, True)[0], discriminate(fake, False)[0]
    )
    _set_gradients(loss, discriminator)


def _set_gradients(loss, tensors, retain_graph=False):
  for tensor in tensors:
    tensor.grad = None
  # Not torch.autograd.grad: what that returns may lie otherwise in memory than
  # the tensor, and the fused Adam pairs the two by address.
  loss.backward(inputs=tensors, retain_graph=retain_graph)


def _adam(tensors, config, rate):
  return torch.optim.Adam(
    tensors,
    lr=rate,
    betas=(config.b1, config.b2),
    eps=config.epsilon,
    fused=True,
  )


class MetaTraining:
  """A run.

  Args:
    config: the experiment.
    embedder: of the reference, with our parameters; so the other two.
    generator: G with P.
    discriminator: D.
    rows: W, float32 [videos, N].
    vggs: content networks by name; {} for the pyramid.
    options: how to run.
  """

  def __init__(
    self, config, embedder, generator, discriminator, rows, vggs, options
  ):
    networks = (embedder, generator, discriminator)
    self.networks = tuple(options.place(network) for network in networks)
    self.config, self.options = config, options
    self.table = Rows(rows, config.optimizer)
    vggs = {name: options.place(vgg) for name, vgg in vggs.items()}
    self.game = _Game(config, make_content(config.loss, vggs), options)
    self._run_generator = options.compile(self._generate)
    self._run_discriminator = options.compile(discriminator)
    self.generator_params = [*embedder.parameters(), *generator.parameters()]
    self.discriminator_params = list(discriminator.parameters())
    rates = config.optimizer
    self._optimizers = (
      _adam(self.generator_params, rates, rates.generator_learning_rate),
      _adam(
        self.discriminator_params, rates, rates.discriminator_learning_rate
      ),
    )
    self.ema = [p.detach().clone() for p in self.generator_params]
    self._step = 0

  def _generate(self, batch):
    embedder, generator, _ = self.networks
    b, k = batch.support_frames.shape[:2]
    pictures = (batch.support_frames, batch.support_landmarks)
    embedding = embedder(*(p.flatten(0, 1) for p in pictures))
    embedding = embedding.view(b, k, -1).mean(1)
    return generator(batch.target_landmarks, embedding=embedding), embedding

  def _discriminate_with(self, batch, rows):
    real_only = self.config.identity_table.real_score_only
    return lambda frames, is_real: self._run_discriminator(
      frames,
      batch.target_landmarks,
      rows if is_real or not real_only else rows.detach(),
    )

  def first_pass(self, batch: Batch):
    """Sets all gradients; returns the terms, x̂ and the rows with theirs."""
    fake, embedding = self._run_generator(batch)
    rows = self.table.begin(batch.video_index, embedding)
    rows.requires_grad_(True)
    match = (embedding - rows.detach()).abs().mean()
    terms = self.game.play(
      fake,
      batch.target_frame,
      self.config.loss.match * match,
      self._discriminate_with(batch, rows),
      self.generator_params,
      [*self.discriminator_params, rows],
    )
    return terms, fake.detach(), rows

  def _later_pass(self, batch, fake):
    rows = self.table.rows[batch.video_index].requires_grad_(True)
    self.game.play_again(
      fake,
      batch.target_frame,
      self._discriminate_with(batch, rows),
      [*self.discriminator_params, rows],
    )
    return rows

  def _autocast(self, batch):
    device = batch.target_frame.device.type
    return torch.autocast(device, torch.bfloat16, enabled=self.options.autocast)

  def step(self, batch: Batch) -> dict:
    """One update of E, G and P, and those of D, w0, b and the rows."""
    rate = self.config.identity_table.learning_rate
    with self._autocast(batch):
      terms, fake, rows = self.first_pass(batch)
    self._optimizers[0].step()
    for update in range(self.config.training.discriminator_updates):
      if update:
        with self._autocast(batch):
          rows = self._later_pass(batch, fake)
      self._optimizers[1].step()
      self.table.update(batch.video_index, rows.grad, rate)
    decay = self.config.training.ema_decay
    decay = min(decay, (1 + self._step) / (10 + self._step))
    with torch.no_grad():
      torch._foreach_lerp_(self.ema, self.generator_params, 1 - decay)
    advance(*self.networks)
    self._step += 1
    return terms


class Finetuning:
  """Fine-tuning of one person.

  Args:
    config: the experiment.
    generator, discriminator: G, whose P stays, and D.
    adain_params: psi' = P ê, [M].
    rows: w' = w0 + ê, [N].
    vggs: content networks by name; {} for the pyramid.
    options: how to run.
  """

  def __init__(
    self, config, generator, discriminator, adain_params, rows, vggs, options
  ):
    self.networks = options.place(generator), options.place(discriminator)
    self.config, self.options = config, options
    vggs = {name: options.place(vgg) for name, vgg in vggs.items()}
    self.game = _Game(config, make_content(config.loss, vggs), options)
    self._run_generator = options.compile(generator)
    self._run_discriminator = options.compile(discriminator)
    self.adain_params = adain_params.clone().requires_grad_(True)
    self.rows = rows.clone().requires_grad_(True)
    projection = set(generator.projection.parameters())
    self.generator_params = [self.adain_params] + [
      p for p in generator.parameters() if p not in projection
    ]
    # w' stands for w0 + ê: w0 itself has no gradient.
    self.discriminator_params = [self.rows, *discriminator.parameters()]
    rates = config.finetune
    self._optimizers = (
      _adam(
        self.generator_params, config.optimizer, rates.generator_learning_rate
      ),
      _adam(
        self.discriminator_params,
        config.optimizer,
        rates.discriminator_learning_rate,
      ),
    )
    self.average = [p.detach().clone() for p in self.generator_params]

  def step(self, frames, pictures) -> dict:
    """One update of psi' and psi, and those of theta, w' and b.

    Args:
      frames: x, [B, 3, H, W] in [-1, 1].
      pictures: y, [B, 3, H, W] in [-1, 1].
    """
    count = len(frames)

    def discriminate(frames, is_real):
      del is_real
      rows = self.rows.expand(count, -1)
      return self._run_discriminator(frames, pictures, rows, add_w0=False)

    with torch.autocast(
      frames.device.type, torch.bfloat16, enabled=self.options.autocast
    ):
      fake = self._run_generator(pictures, self.adain_params.expand(count, -1))
      terms = self.game.play(
        fake,
        frames,
        0.0,
        discriminate,
        self.generator_params,
        self.discriminator_params,
      )
      self._optimizers[0].step()
      for update in range(self.config.training.discriminator_updates):
        if update:
          self.game.play_again(
            fake.detach(), frames, discriminate, self.discriminator_params
          )
        self._optimizers[1].step()
    rate = 1 - self.config.finetune.ema_decay
    with torch.no_grad():
      torch._foreach_lerp_(self.average, self.generator_params, rate)
    advance(*self.networks)
    return terms
