"""Resampling by two, alone and folded into the 3x3 convolution beside it.

Everything here is exact and NHWC. On accelerators a convolution and its
resampling are one 4x4 convolution, which reads and writes least. On CPUs they
take nine products of each pixel of the smaller image instead of sixteen, and
no strides: the middle row of a kernel sees pairs of rows, its outer two pairs
that lie one row off, and so do its columns. Only pooling of small batches is a
4x4 convolution there, too. docs/savings.md has the figures.
"""

import itertools

import flax.linen as nn
import jax.numpy as jnp

from flaxheads import platforms
from flaxheads.models.convolution import (
  SMALL,
  convolve,
  num_pixels,
  pad,
  plain,
)
from flaxheads.models.precision import widen

_FEW_CHANNELS = 8  # an image with its landmarks has six
_HALVES = tuple(itertools.product((0, 1), (0, 1)))  # (rows, columns)


def _mean_of_pairs(x):
  b, h, w, c = x.shape
  return x.reshape(b, h // 2, 2, w // 2, 2, c).mean((2, 4))


def mean_pool_by_window(x):
  """`mean_pool` as accelerators have it: no float32 copy of x is written."""
  return nn.avg_pool(x, (2, 2), (2, 2))


def mean_pool(x):
  """[B, H, W, C] -> [B, H/2, W/2, C], H and W even."""
  return platforms.choose(x, cpu=_mean_of_pairs, default=mean_pool_by_window)


def _max_by_comparisons(x):
  b, h, w, c = x.shape
  x = x[:, : h // 2 * 2, : w // 2 * 2].reshape(b, h // 2, 2, w // 2, 2, c)
  left, right = x[:, :, :, :, 0], x[:, :, :, :, 1]
  rows = jnp.where(left < right, right, left)  # [B, H/2, 2, W/2, C]
  above, below = rows[:, :, 0], rows[:, :, 1]
  return jnp.where(above < below, below, above)


def _max_by_window(x):
  return nn.max_pool(x, (2, 2), (2, 2))


def max_pool(x):
  """[B, H, W, C] -> [B, H // 2, W // 2, C]; the first of the largest counts.

  Comparisons fuse with what is beside them, forwards and backwards. XLA's own
  pooling does not, and its gradient takes CPUs longer than a convolution. On
  TPUs it is the other way round: pairs of pixels would be copied apart.
  """
  return platforms.choose(x, tpu=_max_by_window, default=_max_by_comparisons)


def upsample(x):
  """Nearest neighbour, [B, H, W, C] -> [B, 2H, 2W, C]."""
  b, h, w, c = x.shape
  x = jnp.broadcast_to(x[:, :, None, :, None], (b, h, 2, w, 2, c))
  return x.reshape(b, 2 * h, 2 * w, c)


def interleave(phases):
  """Four images woven into one of twice the size.

  Args:
    phases: four of [B, H, W, C]: for even rows the even and the odd columns,
      then the same for odd rows.

  Returns:
    [B, 2H, 2W, C].
  """
  b, h, w, _ = phases[0].shape
  y = jnp.stack(phases, axis=3).reshape(b, h, w, 2, 2, -1)
  return y.transpose(0, 1, 3, 2, 4, 5).reshape(b, 2 * h, 2 * w, -1)


def _box(kernel):
  """[3, 3, C, D] convolved with a box of 2x2: [4, 4, C, D]."""
  places = ((0, 1), (1, 0))
  return sum(
    jnp.pad(kernel, (rows, columns, (0, 0), (0, 0)))
    for rows in places
    for columns in places
  )


def _outer_or_middle(kernel, rows, columns):
  """Of a 3x3 kernel: the outer two rows, or the middle one; columns, too."""
  return kernel[1 - rows :: 2, 1 - columns :: 2]


def _pools_by_halves(x):
  """Mean-pool-2 of x as each of `_HALVES` pads it, a list of four.

  All are sums of the same quarters of the padded image, its even and odd rows
  and columns. XLA makes plain sums of them; YNNPACK has slower reductions.
  """
  b, h, w, c = x.shape
  padded = pad(widen(x), 1, 1).reshape(b, h // 2 + 1, 2, w // 2 + 1, 2, c)
  p, q, r, s = (padded[:, :, row, :, column] for row, column in _HALVES)
  sums = (
    p[:, 1:, 1:] + q[:, 1:, :-1] + r[:, :-1, 1:] + s[:, :-1, :-1],  # no padding
    (p + q)[:, 1:] + (r + s)[:, :-1],  # of columns
    (p + r)[:, :, 1:] + (q + s)[:, :, :-1],  # of rows
    p + q + r + s,  # of both
  )
  return [(total / 4).astype(x.dtype) for total in sums]


def _pooled_by_halves(x, kernel):
  return sum(
    convolve(pool, _outer_or_middle(kernel, *half))
    for half, pool in zip(_HALVES, _pools_by_halves(x), strict=True)
  )


def pooled_by_stride(x, kernel):
  """`conv3x3_then_pool` as accelerators have it."""
  return plain(x, _box(kernel) / 4, padding=1, stride=2)


def _pooled_on_cpu(x, kernel):
  """`conv3x3_then_pool` in the quicker form."""
  form = pooled_by_stride if num_pixels(x) <= SMALL else _pooled_by_halves
  return form(x, kernel)


def _pooled_before_1x1(x, kernel):
  return convolve(mean_pool(x), kernel)


def pooled_1x1_by_stride(x, kernel):
  """`pool_then_conv1x1` of few channels, as accelerators have it."""
  return plain(x, jnp.tile(kernel / 4, (2, 2, 1, 1)), padding=0, stride=2)


def pool_then_conv1x1(x, kernel):
  """1x1 convolution of mean-pool-2, with which it commutes.

  It runs on the smaller image. Of an image itself, with its few channels,
  accelerators spend more on pooling than on the convolution: there it is one.

  Args:
    x: [B, H, W, C], H and W even.
    kernel: [1, 1, C, D].

  Returns:
    [B, H/2, W/2, D].
  """
  if x.shape[-1] > _FEW_CHANNELS:
    return _pooled_before_1x1(x, kernel)
  return platforms.choose(
    x, kernel, cpu=_pooled_before_1x1, default=pooled_1x1_by_stride
  )


def conv3x3_then_pool(x, kernel):
  """Mean-pool-2 of a zero-padded 3x3 convolution.

  Args:
    x: [B, H, W, C], H and W even.
    kernel: [3, 3, C, D].

  Returns:
    [B, H/2, W/2, D].
  """
  return platforms.choose(
    x, kernel, cpu=_pooled_on_cpu, default=pooled_by_stride
  )


def _upsampled_by_halves(x, kernel):
  _, h, w, _ = x.shape
  parts = [
    convolve(pad(x, *half), _outer_or_middle(kernel, *half)) for half in _HALVES
  ]  # [B, H + rows, W + columns, D]
  return interleave(
    [
      sum(
        part[:, rows * a : rows * a + h, columns * b : columns * b + w]
        for part, (rows, columns) in zip(parts, _HALVES, strict=True)
      )
      for a, b in _HALVES
    ]
  )


def upsampled_by_dilation(x, kernel):
  """`upsample_then_conv3x3` as accelerators have it."""
  return plain(x, _box(kernel), padding=2, dilation=2)


def upsample_then_conv3x3(x, kernel):
  """Zero-padded 3x3 convolution of nearest-up-2.

  Args:
    x: [B, H, W, C].
    kernel: [3, 3, C, D].

  Returns:
    [B, 2H, 2W, D].
  """
  return platforms.choose(
    x, kernel, cpu=_upsampled_by_halves, default=upsampled_by_dilation
  )
