"""Convolutions with resampling folded in, in the form that suits the machine.

Everything here is exact and NHWC. What the forms cost: docs/savings.md.
"""

import functools

import jax
import jax.numpy as jnp

from flaxheads.models.precision import wide

_DIMENSIONS = ('NHWC', 'HWIO', 'NHWC')
_BLOCK = 1024  # pixels whose places are side by side in the cache
_FEW = 4 * _BLOCK  # pixels for which that is not worth it


def plain(x, kernel, padding, stride=1, dilation=1):
  """A convolution of XLA's; see `convolve`.

  Args:
    x: [B, H, W, C].
    kernel: [S, S, C, D].
    padding: zeros on each side.
    stride: of the windows.
    dilation: of x; above 1 the convolution is a transposed one.

  Returns:
    [B, H', W', D].
  """
  return jax.lax.conv_general_dilated(
    x,
    kernel,
    (stride, stride),
    ((padding, padding), (padding, padding)),
    lhs_dilation=(dilation, dilation),
    dimension_numbers=_DIMENSIONS,
  )


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


def _kernel_gradient(x, cotangent, size, padding, stride):
  """The gradient of `convolve` by its kernel, written as XLA derives it."""
  shape = (size, size, x.shape[-1], cotangent.shape[-1])
  kernel = jax.ShapeDtypeStruct(shape, x.dtype)
  return jax.linear_transpose(lambda k: plain(x, k, padding, stride), kernel)(
    cotangent
  )[0]


def _largest_divisor(number, most):
  """Of those up to `most`, or 1."""
  candidates = range(min(number, most), 1, -1)
  return next((n for n in candidates if number % n == 0), 1)


def _places(x, size, stride, height, width):
  """What each place of a kernel sees of x, a list of [B * H' * W', C]."""
  high, wide = stride * (height - 1) + 1, stride * (width - 1) + 1
  return [
    x[:, i : i + high : stride, j : j + wide : stride].reshape(-1, x.shape[-1])
    for i in range(size)
    for j in range(size)
  ]


def _kernel_gradient_by_places(x, cotangent, size, stride):
  """The same as a matrix product for each place of the kernel."""
  columns = cotangent.reshape(-1, cotangent.shape[-1])
  places = _places(x, size, stride, *cotangent.shape[1:3])
  gradient = jnp.stack([place.T @ columns for place in places])
  return gradient.reshape(size, size, x.shape[-1], -1)


def _kernel_gradient_by_blocks(x, cotangent, size, stride):
  """The same as one product for each block of pixels, with all places in it.

  A block stays in the cache, with its places side by side.
  """
  b, h, w, features = cotangent.shape
  channels, sum_dtype = x.shape[-1], wide(x.dtype)
  rows = _largest_divisor(h, _BLOCK // w)
  pictures = _largest_divisor(b, _BLOCK // (h * w)) if rows == h else 1
  strips = h // rows
  shape = (pictures, stride * (rows - 1) + size, *x.shape[2:])

  def add(total, block):
    picture, row = pictures * (block // strips), rows * (block % strips)
    columns = jax.lax.dynamic_slice(
      cotangent, (picture, row, 0, 0), (pictures, rows, w, features)
    ).reshape(-1, features)
    seen = jax.lax.dynamic_slice(x, (picture, stride * row, 0, 0), shape)
    places = jnp.concatenate(_places(seen, size, stride, rows, w), 1)
    return total + jnp.matmul(
      columns.T, places, preferred_element_type=sum_dtype
    ), None

  total = jnp.zeros((features, size * size * channels), sum_dtype)
  total, _ = jax.lax.scan(add, total, jnp.arange(b // pictures * strips))
  gradient = total.reshape(features, size, size, channels)
  return gradient.transpose(1, 2, 3, 0).astype(x.dtype)


def _kernel_gradient_on_cpu(x, cotangent, size, padding, stride):
  """The same in the quicker form; XLA's takes up to three times as long.

  Of few pixels the kernel is the larger part, and turning it would cost more
  than the better product saves.
  """
  x = jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
  few = cotangent[..., 0].size <= _FEW
  form = _kernel_gradient_by_places if few else _kernel_gradient_by_blocks
  return form(x, cotangent, size, stride)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def convolve(x, kernel, padding=0, stride=1):
  """`plain`, with the gradient of the kernel that suits the machine."""
  return plain(x, kernel, padding, stride)


def _forward(x, kernel, padding, stride):
  return plain(x, kernel, padding, stride), (x, kernel)


def _backward(padding, stride, kept, cotangent):
  x, kernel = kept
  pull = jax.linear_transpose(lambda x: plain(x, kernel, padding, stride), x)
  arguments = {'size': kernel.shape[0], 'padding': padding, 'stride': stride}
  kernel_gradient = jax.lax.platform_dependent(
    x,
    cotangent,
    cpu=functools.partial(_kernel_gradient_on_cpu, **arguments),
    default=functools.partial(_kernel_gradient, **arguments),
  )
  return pull(cotangent)[0], kernel_gradient


convolve.defvjp(_forward, _backward)


def _box(kernel):
  """[3, 3, C, D] convolved with a box of 2x2: [4, 4, C, D]."""
  places = ((0, 1), (1, 0))
  return sum(
    jnp.pad(kernel, (rows, columns, (0, 0), (0, 0)))
    for rows in places
    for columns in places
  )


def conv3x3_then_pool(x, kernel):
  """Mean-pool-2 of a zero-padded 3x3 convolution, as one 4x4 of stride 2.

  Args:
    x: [B, H, W, C], H and W even.
    kernel: [3, 3, C, D].

  Returns:
    [B, H/2, W/2, D].
  """
  return convolve(x, _box(kernel) / 4, 1, 2)


def _transposed_by_phases(x, kernel):
  """Four 2x2 convolutions: an output phase sees two rows and two columns."""
  _, h, w, _ = x.shape
  x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
  return interleave(
    [
      convolve(x[:, a : a + h + 1, c : c + w + 1], kernel[a::2, c::2])
      for a in (0, 1)
      for c in (0, 1)
    ]
  )


def _transposed(x, kernel):
  """Transposed 4x4 convolution of stride 2; its gradient is slow on a CPU."""
  return plain(x, kernel, padding=2, dilation=2)


def upsample_then_conv3x3(x, kernel):
  """Zero-padded 3x3 convolution of nearest-up-2, as one 4x4 of half a step.

  Args:
    x: [B, H, W, C].
    kernel: [3, 3, C, D].

  Returns:
    [B, 2H, 2W, D].
  """
  return jax.lax.platform_dependent(
    x, _box(kernel), cpu=_transposed_by_phases, default=_transposed
  )
