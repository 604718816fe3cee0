"""Faces cut out of frames on the device, differentiable in the frames."""

import jax
import jax.numpy as jnp

from flaxheads.metrics import identity
from flaxheads.models.grid_sample import grid_sample

# Of the face's height from the bridge of the nose to the chin; idt_embed.py of
# the authors' lab (shrubb/latent-pose-reenactment).
_ABOVE, _BELOW = 0.47, 0.2
_BRIDGE, _CHIN = 27, 8


def _sample(frames, places):
  """Bilinear, black outside; `places` [B, h, w, 2], centres at integers."""
  sizes = jnp.array([frames.shape[2] - 1, frames.shape[1] - 1], jnp.float32)
  return 2 * grid_sample((frames + 1) / 2, 2 * places / sizes - 1) - 1


def align(frames, points, template=identity.ARCFACE, noise=0.0):
  """As flaxheads.metrics.identity.align, on the device.

  Args:
    frames: float [B, S, S, 3] in [-1, 1].
    points: float [B, 68, 2] in pixels.
    template: identity.Template.
    noise: float [B, 5, 2], pixels of the result by which the five points err.

  Returns:
    float [B, size, size, 3] in [-1, 1]; black outside of the frame.
  """
  # OpenCV's pixel centres lie at integers.
  with jax.default_matmul_precision('highest'):
    source = identity.five_points(points) - 0.5
  target = jnp.asarray(template.points, jnp.float32) + noise
  cosine, sine, shift = identity.similarity(source, target)
  # From the aligned image back to the frame.
  y, x = jnp.mgrid[: template.size, : template.size]
  x, y = (
    v - s[:, None, None] for v, s in ((x, shift[..., 0]), (y, shift[..., 1]))
  )
  cosine, sine = (
    (v / (cosine**2 + sine**2))[:, None, None] for v in (cosine, sine)
  )
  places = jnp.stack([cosine * x + sine * y, cosine * y - sine * x], -1)
  return _sample(frames, places)


def enlarge(frames, points):
  """The square about the inner face, at the size of the frame.

  It reaches from 0.47 of the height between bridge and chin above the bridge
  to 0.2 below the chin, and lies in the middle of the landmarks' width. The
  lab reflects the frame at its borders; here it is black outside.

  Args:
    frames: float [B, H, W, 3] in [-1, 1].
    points: float [B, 68, 2] in pixels.

  Returns:
    float [B, H, W, 3] in [-1, 1].
  """
  height, width = frames.shape[1:3]
  bridge, chin = points[:, _BRIDGE, 1], points[:, _CHIN, 1]
  face = chin - bridge
  top, side = bridge - _ABOVE * face, (1 + _ABOVE + _BELOW) * face
  x = points[..., 0]
  left = (x.min(1) + x.max(1) - side) / 2

  def span(start, count):
    """Where the centres of `count` pixels lie, [B, count]."""
    share = (jnp.arange(count) + 0.5) / count
    return start[:, None] + side[:, None] * share - 0.5

  shape = (len(frames), height, width)
  x = jnp.broadcast_to(span(left, width)[:, None], shape)
  y = jnp.broadcast_to(span(top, height)[:, :, None], shape)
  return _sample(frames, jnp.stack([x, y], -1))
