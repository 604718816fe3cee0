"""Convolutions and their gradients, in the form that is fastest on the device.

Everything here is exact and NHWC. What the forms cost: docs/savings.md.
"""

import functools
import math

import jax
import jax.numpy as jnp

from flaxheads import platforms
from flaxheads.models.precision import wide

_DIMENSIONS = ('NHWC', 'HWIO', 'NHWC')
_BLOCK = 1024  # pixels whose places are side by side in the cache
# Pixels of a batch, up to which XLA's forms run as fast as those for CPUs and
# compile in a quarter of the time.
SMALL = 1 << 15


def plain(x, kernel, padding, stride=1, dilation=1):
  """A convolution of XLA's; see `convolve`.

  Args:
    x: [B, H, W, C].
    kernel: [S, R, C, D].
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


def _input_gradient(kernel, cotangent, shape, padding):
  """The gradient of `convolve` by x, written as XLA derives it."""
  x = jax.ShapeDtypeStruct(shape, cotangent.dtype)
  return jax.linear_transpose(lambda x: plain(x, kernel, padding), x)(
    cotangent
  )[0]


def _kernel_gradient(x, cotangent, size, padding):
  """The gradient of `convolve` by its kernel, written as XLA derives it."""
  shape = (*size, x.shape[-1], cotangent.shape[-1])
  kernel = jax.ShapeDtypeStruct(shape, x.dtype)
  return jax.linear_transpose(lambda k: plain(x, k, padding), kernel)(
    cotangent
  )[0]


def pad(x, rows, columns):
  """[B, H, W, C] -> [B, H + 2 rows, W + 2 columns, C], with zeros."""
  return jnp.pad(x, ((0, 0), (rows, rows), (columns, columns), (0, 0)))


def num_pixels(x):
  """Of all images of a batch."""
  return math.prod(x.shape[:3])


def _largest_divisor(number, most):
  """Of those up to `most`, or 1."""
  candidates = range(min(number, most), 1, -1)
  return next((n for n in candidates if number % n == 0), 1)


def _places(x, size, height, width):
  """What each place of a kernel sees of x, a list of [B * H' * W', C]."""
  return [
    x[:, i : i + height, j : j + width].reshape(-1, x.shape[-1])
    for i in range(size[0])
    for j in range(size[1])
  ]


def _kernel_gradient_by_blocks(x, cotangent, size):
  """The same as one product for each block of pixels, with all places in it.

  A block stays in the cache, with its places side by side.
  """
  b, h, w, features = cotangent.shape
  channels, sum_dtype = x.shape[-1], wide(x.dtype)
  rows = _largest_divisor(h, _BLOCK // w)
  images = _largest_divisor(b, _BLOCK // (h * w)) if rows == h else 1
  strips = h // rows
  shape = (images, rows - 1 + size[0], *x.shape[2:])

  def add(total, block):
    image, row = images * (block // strips), rows * (block % strips)
    columns = jax.lax.dynamic_slice(
      cotangent, (image, row, 0, 0), (images, rows, w, features)
    ).reshape(-1, features)
    seen = jax.lax.dynamic_slice(x, (image, row, 0, 0), shape)
    places = jnp.concatenate(_places(seen, size, rows, w), 1)
    return total + jnp.matmul(
      columns.T, places, preferred_element_type=sum_dtype
    ), None

  total = jnp.zeros((features, size[0] * size[1] * channels), sum_dtype)
  total, _ = jax.lax.scan(add, total, jnp.arange(b // images * strips))
  gradient = total.reshape(features, *size, channels)
  return gradient.transpose(1, 2, 3, 0).astype(x.dtype)


def _kernel_gradient_on_cpu(x, cotangent, size, padding):
  """The same in the quicker form; XLA's takes up to four times as long."""
  if num_pixels(cotangent) <= SMALL:
    return _kernel_gradient(x, cotangent, size, padding)
  return _kernel_gradient_by_blocks(pad(x, padding, padding), cotangent, size)


def _without_padding(x, kernel):
  """`plain` without padding, in half of the time.

  XLA leaves it to YNNPACK, which is slow without padding. Rows of padding
  below, whose results are dropped, keep it with XLA. They are one more than
  preserve an image's size: that case would go to YNNPACK as well.
  """
  rows = kernel.shape[0]
  y = jax.lax.conv_general_dilated(
    x, kernel, (1, 1), ((0, rows), (0, 0)), dimension_numbers=_DIMENSIONS
  )
  return y[:, :-rows]


def _on_cpu(x, kernel, padding):
  """`plain` in the quickest form."""
  return plain(x, kernel, padding) if padding else _without_padding(x, kernel)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def convolve(x, kernel, padding=0):
  """`plain` with a stride of 1, in forms that suit the machine."""
  return platforms.choose(
    x,
    kernel,
    cpu=functools.partial(_on_cpu, padding=padding),
    default=functools.partial(plain, padding=padding),
  )


def _forward(x, kernel, padding):
  return convolve(x, kernel, padding), (x, kernel)


def _backward(padding, kept, cotangent):
  x, kernel = kept
  by_kernel = {'size': kernel.shape[:2], 'padding': padding}
  return (
    _input_gradient(kernel, cotangent, x.shape, padding),
    platforms.choose(
      x,
      cotangent,
      cpu=functools.partial(_kernel_gradient_on_cpu, **by_kernel),
      default=functools.partial(_kernel_gradient, **by_kernel),
    ),
  )


convolve.defvjp(_forward, _backward)
