"""Layers shared by embedder, generator and discriminator. All NHWC."""

import functools
import math
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name

from flaxheads.models.convolution import convolve
from flaxheads.models.precision import wide, widen
from flaxheads.models.resampling import (
  conv3x3_then_pool,
  pool_then_conv1x1,
  upsample,
  upsample_then_conv3x3,
)

BLOCK_OUTPUT = 'block_output'  # what rematerialisation keeps


def as_matrix(initializer: Callable) -> Callable:
  """An initializer that draws kernels [..., in, out] as [(...) * in, out].

  The numbers are the same, and compile in a third of the time: random numbers
  of four dimensions take long, and a network has fifty kernels. For those whose
  variance depends on nothing but the inputs of an output.
  """

  def draw(key, shape, dtype=jnp.float32):
    matrix = math.prod(shape[:-1]), shape[-1]
    return initializer(key, matrix, dtype).reshape(shape)

  return draw


_INIT = as_matrix(nn.initializers.lecun_normal())


class Conv(nn.Module):
  """Convolution with bias, optionally with resampling folded in.

  Attributes:
    features: output channels.
    size: kernel size, 1 or 3.
    resample: None, 'down' (mean-pool-2 after) or 'up' (nearest-up-2 before).
    dtype: of the arithmetic; parameters are float32.
  """

  features: int
  size: int = 3
  resample: str | None = None
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x):
    shape = (self.size, self.size, x.shape[-1], self.features)
    kernel = self.param('kernel', _INIT, shape).astype(self.dtype)
    bias = self.param('bias', nn.initializers.zeros, (self.features,))
    x = x.astype(self.dtype)
    if self.resample is None:
      y = convolve(x, kernel, self.size // 2)
    elif self.size == 1 and self.resample == 'down':
      y = pool_then_conv1x1(x, kernel)
    elif self.size == 1:  # a 1x1 commutes with resampling: run it when small
      y = upsample(convolve(x, kernel))
    elif self.resample == 'down':
      y = conv3x3_then_pool(x, kernel)
    else:
      y = upsample_then_conv3x3(x, kernel)
    return y + bias.astype(self.dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def softmax(scores, dtype):
  """Over the last axis, from float32 scores to weights in `dtype`.

  Its gradient reads the weights as they were handed on: in bfloat16 a table of
  all pairs of pixels is kept in half of the bytes.
  """
  return jax.nn.softmax(scores).astype(dtype)


def _softmax_forward(scores, dtype):
  weights = softmax(scores, dtype)
  return weights, weights


def _softmax_backward(dtype, weights, cotangent):
  del dtype
  weights, cotangent = widen(weights), widen(cotangent)
  product = weights * cotangent
  return (product - weights * product.sum(-1, keepdims=True),)


softmax.defvjp(_softmax_forward, _softmax_backward)


class SelfAttention(nn.Module):
  """Non-local block with a gate that starts at zero (Zhang et al. 2019)."""

  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x):
    b, h, w, c = x.shape
    inner = max(c // 8, 1)

    def project(name, features):
      y = Conv(features, 1, dtype=self.dtype, name=name)(x)
      return y.reshape(b, h * w, features)

    query = project('query', inner)  # [B, HW, C/8]
    key = project('key', inner)
    value = project('value', c)  # [B, HW, C]
    scores = jnp.einsum(
      'bqc,bkc->bqk', query, key, preferred_element_type=wide(query.dtype)
    )
    weights = softmax(scores, self.dtype)
    mixed = jnp.einsum('bqk,bkc->bqc', weights, value).reshape(b, h, w, c)
    gate = self.param('gate', nn.initializers.zeros, ())
    return x + gate.astype(self.dtype) * mixed


def instance_norm(x, scale, shift, epsilon=1e-5):
  """Normalises every channel of every image over space.

  Args:
    x: [B, H, W, C].
    scale: [C] or [B, C].
    shift: [C] or [B, C].
    epsilon: added to the variance.

  Returns:
    [B, H, W, C] in the dtype of x; statistics are float32.
  """
  y = widen(x)
  mean = y.mean((1, 2), keepdims=True)
  if x.dtype == y.dtype:
    variance = jnp.square(y - mean).mean((1, 2), keepdims=True)
  else:  # one pass for both; what it loses is less than x lost when rounded
    squares = jnp.square(y).mean((1, 2), keepdims=True)
    variance = jnp.maximum(squares - jnp.square(mean), 0)
  scale = jnp.atleast_2d(scale)[:, None, None, :]
  shift = jnp.atleast_2d(shift)[:, None, None, :]
  factor = scale * jax.lax.rsqrt(variance + epsilon)  # [B, 1, 1, C]
  return (y * factor + (shift - mean * factor)).astype(x.dtype)


class InstanceNorm(nn.Module):
  """Affine instance normalisation with parameters of its own."""

  @nn.compact
  def __call__(self, x):
    scale = self.param('scale', nn.initializers.ones, (x.shape[-1],))
    shift = self.param('shift', nn.initializers.zeros, (x.shape[-1],))
    return instance_norm(x, scale, shift)


def no_norm(x):
  """Leaves x as it is."""
  return x


class ResidualBlock(nn.Module):
  """Pre-activation residual block: (norm, ReLU, conv) twice, plus a skip.

  Attributes:
    features: output channels.
    resample: None, 'down' (after the second convolution) or 'up' (before the
      first).
    norms: two callables applied before the two ReLUs.
    pre_activation: False for a block that sees the image itself.
    learned_skip: whether the skip is a 1x1 convolution even where the input
      has the right shape already.
    dtype: of the arithmetic.
  """

  features: int
  resample: str | None = None
  norms: tuple[Callable, Callable] = (no_norm, no_norm)
  pre_activation: bool = True
  learned_skip: bool = False
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x):
    first = 'up' if self.resample == 'up' else None
    second = 'down' if self.resample == 'down' else None
    y = nn.relu(self.norms[0](x)) if self.pre_activation else x
    y = Conv(self.features, resample=first, dtype=self.dtype)(y)
    y = nn.relu(self.norms[1](y))
    y = Conv(self.features, resample=second, dtype=self.dtype)(y)
    reshaped = self.resample or x.shape[-1] != self.features
    if self.learned_skip or reshaped:
      x = Conv(self.features, 1, self.resample, dtype=self.dtype, name='skip')(
        x
      )
    return checkpoint_name(x + y, BLOCK_OUTPUT)
