"""Image metrics on float frames in [0, 1], NHWC, in pure jax.numpy.

Shapes and types are always checked, values only outside of a trace: inside
`jax.jit` there are none to look at.
"""

import jax
import jax.numpy as jnp
import numpy as np

from flaxheads.errors import UserError

# Equal images have no error to take a logarithm of. Their PSNR is this
# many dB, so that means stay finite; one level in one channel of one pixel
# of a 256x256 image is 101 dB.
MAX_PSNR = 100.0

# Wang et al. 2004, "Image quality assessment: from error visibility to
# structural similarity", section III.C: an 11x11 Gaussian window of standard
# deviation 1.5, K1 = 0.01, K2 = 0.03.
SSIM_WINDOW = 11
SSIM_SIGMA = 1.5
SSIM_K1, SSIM_K2 = 0.01, 0.03


def to_unit_range(frames):
  """uint8 frames [..., H, W, 3] as float32 in [0, 1]."""
  frames = np.asarray(frames)
  if frames.dtype != np.uint8:
    raise UserError(f'frames: {frames.dtype} given; uint8 is needed')
  return frames.astype(np.float32) / 255


def check_frames(name, value):
  """Raises UserError unless `value` holds RGB frames in [0, 1]."""
  if value.ndim < 3 or value.shape[-1] != 3:
    raise UserError(
      f'{name}: shape {value.shape} given; [..., H, W, 3] is needed'
    )
  if not jnp.issubdtype(value.dtype, jnp.floating):
    raise UserError(f'{name}: {value.dtype} given; floats in [0, 1] are needed')
  if isinstance(value, jax.core.Tracer) or not value.size:
    return
  # Not jnp: on the CPU its min and max pass over NaN.
  host = np.asarray(value, np.float32)
  low, high = float(host.min()), float(host.max())
  if not (low >= -1e-3 and high <= 1 + 1e-3):  # also refuses NaN
    raise UserError(
      f'{name}: values from {low:g} to {high:g} given; [0, 1] is needed'
    )


def _check(a, b):
  """Raises UserError unless both are RGB frames of one shape in [0, 1]."""
  check_frames('a', a)
  check_frames('b', b)
  if a.shape != b.shape:
    raise UserError(f'shapes {a.shape} and {b.shape} differ')


def psnr(a, b, mask=None):
  """Peak signal-to-noise ratio.

  Args:
    a: float [..., H, W, 3] in [0, 1].
    b: the same shape and range.
    mask: bool or 0/1 [..., H, W]; only these pixels count. None: all do.

  Returns:
    float [...] in dB, at most MAX_PSNR; NaN where the mask is empty.

  Raises:
    UserError: shapes differ, or values are not in [0, 1].
  """
  a, b = jnp.asarray(a), jnp.asarray(b)
  _check(a, b)
  if mask is None:
    mask = jnp.ones(a.shape[:-1], bool)
  mask = jnp.asarray(mask)
  if mask.shape != a.shape[:-1]:
    raise UserError(f'mask: shape {mask.shape} given; {a.shape[:-1]} is needed')
  return _psnr(a, b, mask)


@jax.jit
def _psnr(a, b, mask):
  weight = mask.astype(jnp.float32)
  squares = jnp.square(a.astype(jnp.float32) - b.astype(jnp.float32))
  error = (squares.mean(-1) * weight).sum((-2, -1)) / weight.sum((-2, -1))
  return -10 * jnp.log10(jnp.maximum(error, 10 ** (-MAX_PSNR / 10)))


def _gaussian_window():
  x = np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2
  window = np.exp(-0.5 * (x / SSIM_SIGMA) ** 2)
  return window / window.sum()  # [11]


def _blur(x):
  """Gaussian window, positions inside only: [..., H, W, C] -> H-10, W-10."""
  height, width = (x.shape[axis] - SSIM_WINDOW + 1 for axis in (-3, -2))
  window = _gaussian_window()
  x = sum(w * x[..., i : i + height, :, :] for i, w in enumerate(window))
  return sum(w * x[..., i : i + width, :] for i, w in enumerate(window))


def ssim(a, b):
  """Structural similarity, Wang et al. 2004, eq. 13, mean over the image.

  The mean of the SSIM maps of the three channels, with the population
  covariance, over windows that lie wholly inside the image: what
  scikit-image computes with gaussian_weights=True, sigma=1.5,
  use_sample_covariance=False and data_range=1.

  Args:
    a: float [..., H, W, 3] in [0, 1], H and W at least 11.
    b: the same shape and range.

  Returns:
    float [...] in [-1, 1]; 1 for equal images.

  Raises:
    UserError: shapes differ, the image is too small for the window, or
      values are not in [0, 1].
  """
  a, b = jnp.asarray(a), jnp.asarray(b)
  _check(a, b)
  if min(a.shape[-3:-1]) < SSIM_WINDOW:
    raise UserError(
      f'shape {a.shape} given; SSIM needs at least'
      f' {SSIM_WINDOW}x{SSIM_WINDOW} pixels'
    )
  return _ssim(a, b)


@jax.jit
def _ssim(a, b):
  a, b = a.astype(jnp.float32), b.astype(jnp.float32)
  c1, c2 = SSIM_K1**2, SSIM_K2**2
  mean_a, mean_b = _blur(a), _blur(b)
  var_a = _blur(a * a) - mean_a**2
  var_b = _blur(b * b) - mean_b**2
  covariance = _blur(a * b) - mean_a * mean_b
  luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
  structure = (2 * covariance + c2) / (var_a + var_b + c2)
  return (luminance * structure).mean((-3, -2, -1))
