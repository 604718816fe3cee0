"""Convolutions with resampling folded in, in the form that suits the machine.

Everything here is exact and NHWC. What the forms cost: docs/savings.md.
"""

import functools

import jax
import jax.numpy as jnp

_DIMENSIONS = ('NHWC', 'HWIO', 'NHWC')


def _plain(x, kernel, padding, stride=1, dilation=1):
  return jax.lax.conv_general_dilated(
    x,
    kernel,
    (stride, stride),
    ((padding, padding), (padding, padding)),
    lhs_dilation=(dilation, dilation),
    dimension_numbers=_DIMENSIONS,
  )


def _kernel_gradient(x, cotangent, size, padding):
  """The gradient of `convolve` by its kernel, written as XLA derives it."""
  shape = (size, size, x.shape[-1], cotangent.shape[-1])
  kernel = jax.ShapeDtypeStruct(shape, x.dtype)
  return jax.linear_transpose(lambda k: _plain(x, k, padding), kernel)(
    cotangent
  )[0]


def _kernel_gradient_by_products(x, cotangent, size, padding):
  """The same as a matrix product for each place of the kernel.

  XLA's CPU backend runs the other form at a fifth of the speed.
  """
  h, w = cotangent.shape[1:3]
  x = jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
  columns = cotangent.reshape(-1, cotangent.shape[-1])  # [BHW, D]

  def product(row, column):
    window = x[:, row : row + h, column : column + w]
    return window.reshape(-1, x.shape[-1]).T @ columns  # [C, D]

  places = [product(i, j) for i in range(size) for j in range(size)]
  return jnp.stack(places).reshape(size, size, x.shape[-1], -1)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def convolve(x, kernel, padding=0):
  """Convolution of stride 1 with a square kernel.

  Args:
    x: [B, H, W, C].
    kernel: [S, S, C, D].
    padding: zeros on each side.

  Returns:
    [B, H', W', D].
  """
  return _plain(x, kernel, padding)


def _forward(x, kernel, padding):
  return _plain(x, kernel, padding), (x, kernel)


def _backward(padding, kept, cotangent):
  x, kernel = kept
  pull = jax.linear_transpose(lambda x: _plain(x, kernel, padding), x)
  arguments = {'size': kernel.shape[0], 'padding': padding}
  kernel_gradient = jax.lax.platform_dependent(
    x,
    cotangent,
    cpu=functools.partial(_kernel_gradient_by_products, **arguments),
    default=functools.partial(_kernel_gradient, **arguments),
  )
  return pull(cotangent)[0], kernel_gradient


convolve.defvjp(_forward, _backward)


def _box(kernel):
  """[3, 3, C, D] convolved with a box of 2x2: [4, 4, C, D]."""
  rows = jnp.pad(kernel, ((0, 1), (0, 0), (0, 0), (0, 0)))
  rows = rows + jnp.roll(rows, 1, axis=0)  # [4, 3, C, D]
  box = jnp.pad(rows, ((0, 0), (0, 1), (0, 0), (0, 0)))
  return box + jnp.roll(box, 1, axis=1)


def conv3x3_then_pool(x, kernel):
  """Mean-pool-2 of a zero-padded 3x3 convolution, as one 4x4 of stride 2.

  Args:
    x: [B, H, W, C], H and W even.
    kernel: [3, 3, C, D].

  Returns:
    [B, H/2, W/2, D].
  """
  return _plain(x, _box(kernel) / 4, padding=1, stride=2)


def interleave(phases):
  """Four pictures woven into one of twice the size.

  Args:
    phases: four of [B, H, W, C]: for even rows the even and the odd columns,
      then the same for odd rows.

  Returns:
    [B, 2H, 2W, C].
  """
  b, h, w, _ = phases[0].shape
  y = jnp.stack(phases, axis=3).reshape(b, h, w, 2, 2, -1)
  return y.transpose(0, 1, 3, 2, 4, 5).reshape(b, 2 * h, 2 * w, -1)


def _upsample_by_phases(x, kernel):
  """Four 2x2 convolutions: an output phase sees two rows and two columns."""
  _, h, w, _ = x.shape
  x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))

  def fold(k, phase, axis):
    first, middle, last = jnp.split(k, 3, axis=axis)
    pair = (first, middle + last) if phase == 0 else (first + middle, last)
    return jnp.concatenate(pair, axis=axis)

  phases = []
  for a in (0, 1):
    for c in (0, 1):
      window = x[:, a : a + h + 1, c : c + w + 1]
      phases.append(convolve(window, fold(fold(kernel, a, 0), c, 1)))
  return interleave(phases)


def _upsample_transposed(x, kernel):
  """One transposed 4x4 convolution; its gradient is slow on a CPU."""
  return _plain(x, _box(kernel), padding=2, dilation=2)


def upsample_then_conv3x3(x, kernel):
  """Zero-padded 3x3 convolution of nearest-up-2.

  Args:
    x: [B, H, W, C].
    kernel: [3, 3, C, D].

  Returns:
    [B, 2H, 2W, D].
  """
  return jax.lax.platform_dependent(
    x, kernel, cpu=_upsample_by_phases, default=_upsample_transposed
  )
