"""Every loss term, each a plain function of arrays.

Zakharov et al. 2019, section 3: L_CNT, L_ADV = -r + L_FM, L_MCH, L_DSC.
"""

import jax
import jax.numpy as jnp

from flaxheads.models.precision import widen

_TINY = 1e-12


def _l1(a, b):
  return jnp.abs(widen(a) - widen(b)).mean()


def features_loss(fake_features, real_features):
  """Sum over layers of the mean absolute difference.

  Args:
    fake_features: list of [B, H, W, C], of x̂.
    real_features: the same of x; no gradient flows into them.

  Returns:
    float32 scalar.
  """
  return sum(
    _l1(fake, jax.lax.stop_gradient(real))
    for fake, real in zip(fake_features, real_features, strict=True)
  )


def _halve(x):
  b, h, w, c = x.shape
  return x.reshape(b, h // 2, 2, w // 2, 2, c).mean((2, 4))


def _double(x):
  b, h, w, c = x.shape
  return jax.image.resize(x, (b, 2 * h, 2 * w, c), 'linear')


def pyramid_loss(fake, real, num_levels: int = 4):
  """L1 between Laplacian pyramids: the content loss without VGG weights.

  Every band weighs the same, so that coarse colour is learned at once and
  fine edges are not drowned by it (Ling and Okada 2006; ours here).

  Args:
    fake: [B, H, W, 3] in [-1, 1].
    real: the same.
    num_levels: bands, the last being the remaining low-pass.

  Returns:
    float32 scalar.
  """
  x = fake - jax.lax.stop_gradient(real)  # the pyramid is linear
  total = 0.0
  for _ in range(num_levels - 1):
    low = _halve(x)
    total += jnp.abs(x - _double(low)).mean()
    x = low
  return total + jnp.abs(x).mean()


def adversarial_loss(fake_score):
  """-r̂, without any sigmoid: [B] -> scalar."""
  return -fake_score.mean()


def match_loss(embedding, rows):
  """L_MCH: L1 between ê_i and W_i; no gradient into W.

  Args:
    embedding: [B, N], the mean over the K support frames.
    rows: [B, N].
  """
  apart = widen(embedding) - jax.lax.stop_gradient(rows)
  # JAX takes 1 for the slope of |0|, at which all new rows are.
  return jnp.where(apart == 0, 0, jnp.abs(apart)).mean()


def cosine_loss(fake_embedding, real_embedding):
  """Mean of 1 - cosine, in [0, 2].

  Args:
    fake_embedding: [B, N], of any length but 0.
    real_embedding: the same.

  Returns:
    float32 scalar.
  """
  a, b = widen(fake_embedding), widen(real_embedding)
  lengths = jnp.square(a).sum(-1) * jnp.square(b).sum(-1)
  return (1 - (a * b).sum(-1) * jax.lax.rsqrt(lengths + _TINY)).mean()


def mismatch_loss(other_scores):
  """The hinge of real frames that are shown as other people's, as of fakes.

  Reed et al. 2016, "Generative adversarial text to image synthesis", section
  4.2, show D real images with wrong texts; ours here. L_DSC alone shows D a
  frame with its own row only, so that nothing rewards telling people apart.

  Args:
    other_scores: D(x_i, y_i, j), [B, M]; -inf where a pair does not count.

  Returns:
    float32 scalar: mean over i of the mean over j.
  """
  count = jnp.isfinite(other_scores).sum(-1)
  hinge = jax.nn.relu(1 + other_scores).sum(-1)
  return (hinge / jnp.maximum(count, 1)).mean()


def discriminator_loss(fake_score, real_score):
  """L_DSC, the hinge: max(0, 1 + r̂) + max(0, 1 - r), each [B] -> scalar."""
  return jax.nn.relu(1 + fake_score).mean() + jax.nn.relu(1 - real_score).mean()
