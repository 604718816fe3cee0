"""The network from sound to the mouth: small, causal, quick."""

import functools
from collections.abc import Iterable
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from flaxheads.speech import features, levels
from flaxheads.speech.visemes import CONTROLS
from flaxheads.weights.tensors import load_tree

WEIGHTS = Path(__file__).with_name('mouth_network.safetensors')

LOOKAHEAD = 3  # frames of output, of 20 ms; their window ends 17.5 ms later
_WIDTH = 80
_DILATIONS = (1, 2, 4, 8, 1, 2, 4)
# Frames of output before a frame that it depends on.
CONTEXT = 2 * (1 + sum(_DILATIONS)) - LOOKAHEAD
STRIDE = 2  # frames of features for a frame of output
# A regression gives the mean of what is likely, which moves less than a mouth
# and rarely closes it: openings up to _SHUT are closed lips, others grow.
_SHUT, _CONTRAST = 0.22, 1.45
_AT_ONCE = 1024  # frames of output: 20 s


def output_times(count: int) -> np.ndarray:
  """The moments that frames of output describe, seconds: float64 [count]."""
  return features.frame_times(STRIDE * count).reshape(-1, STRIDE).mean(1)


def _past(x, dilation):
  """Three frames beside each other, the earlier ones before: [B, F, 3 C]."""
  frames = x.shape[1]
  x = jnp.pad(x, ((0, 0), (2 * dilation, 0), (0, 0)))
  return jnp.concatenate(
    [x[:, d : d + frames] for d in (0, dilation, 2 * dilation)], -1
  )


class MouthNetwork(nn.Module):
  """Dilated causal convolutions (van den Oord et al. 2016) with residuals."""

  @nn.compact
  def __call__(self, inputs):
    """Predicts the mouth.

    Args:
      inputs: float [B, 2 F, NUM_BANDS], features.log_mel.

    Returns:
      float [B, F, 3], visemes.CONTROLS. Frame i depends on the pairs of inputs
      i - CONTEXT to i + LOOKAHEAD; before the first and after the last comes
      silence.
    """
    batch, frames, bands = inputs.shape
    x = inputs.reshape(batch, frames // STRIDE, STRIDE * bands)
    x = jnp.pad(x, ((0, 0), (0, LOOKAHEAD), (0, 0)))
    x = nn.Dense(_WIDTH, name='stem')(_past(x, 1))
    for number, dilation in enumerate(_DILATIONS):
      y = nn.LayerNorm(name=f'norm{number}')(x)
      y = nn.gelu(nn.Dense(_WIDTH, name=f'conv{number}')(_past(y, dilation)))
      x = x + nn.Dense(_WIDTH, name=f'mix{number}')(y)
    x = nn.Dense(len(CONTROLS), name='head')(nn.LayerNorm(name='norm')(x))
    return x[:, LOOKAHEAD:]


@functools.cache
def load_params() -> dict:
  """The parameters that are part of this package."""
  return load_tree(str(WEIGHTS))


@jax.jit
def _apply(params, inputs):
  return MouthNetwork().apply({'params': params}, inputs)


def predict(params: dict, powers: Iterable[np.ndarray]) -> np.ndarray:
  """The mouth that goes with sound, in memory that does not hold the sound.

  Args:
    params: of MouthNetwork.
    powers: mel power in pieces, float32 [f, NUM_BANDS] each.

  Returns:
    float32 [F, 3], visemes.CONTROLS at `output_times(F)`. Silence comes before
    and after the sound; opening and jaw are not negative.
  """
  silence = np.zeros((STRIDE * CONTEXT, features.NUM_BANDS), np.float32)
  after = np.zeros((STRIDE * LOOKAHEAD, features.NUM_BANDS), np.float32)
  waiting, count, mouths, known = [silence], 0, [], None
  block = STRIDE * (CONTEXT + _AT_ONCE + LOOKAHEAD)

  def flush(last):
    """Predicts the whole blocks that wait; at the end what is left, too."""
    inputs = np.concatenate(waiting)
    while len(inputs) >= block or (last and len(inputs) > len(silence)):
      part = inputs[:block]
      part = np.pad(part, ((0, block - len(part)), (0, 0)))
      mouth = np.asarray(_apply(params, part[None]))[0]
      mouths.append(mouth[CONTEXT : CONTEXT + _AT_ONCE])
      inputs = inputs[STRIDE * _AT_ONCE :]
    waiting[:] = [inputs]

  for power in powers:
    count += len(power)
    power, known = levels.adjust(power, known)
    waiting.append(features.log_mel(power))
    if sum(map(len, waiting)) >= block:
      flush(last=False)
  frames = count // STRIDE
  if not frames:
    return np.zeros((0, len(CONTROLS)), np.float32)
  waiting.append(after)
  flush(last=True)
  mouth = np.concatenate(mouths)[:frames]
  mouth[:, 0] = np.maximum(mouth[:, 0] - _SHUT, 0) * _CONTRAST
  mouth[:, 2] = np.maximum(mouth[:, 2], 0)
  return mouth
