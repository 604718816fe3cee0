"""Adam, its learning rate over a run, and one update of parameters."""

import jax
import jax.numpy as jnp
import optax

from flaxheads.config_parts import AdamConfig, ScheduleConfig
from flaxheads.training import identity_table, parallel


def adam(config: AdamConfig) -> optax.GradientTransformation:
  """Adam without its learning rate, which `apply_gradient` multiplies in.

  Where b1 is 0 the first moment is the gradient, and none is kept: a quarter
  less state in memory, to be written in every step and in every checkpoint.
  """
  if config.b1 == 0:
    return optax.scale_by_rms(
      config.b2, config.epsilon, eps_in_sqrt=False, bias_correction=True
    )
  return optax.scale_by_adam(config.b1, config.b2, config.epsilon)


def learning_rate_scale(step, config: ScheduleConfig, num_steps: int):
  """Linear warm-up, then 1, then a linear fall over the last steps."""
  step = step.astype(jnp.float32)
  scale = jnp.minimum((step + 1) / max(config.warmup_steps, 1), 1.0)
  if not config.decay_steps:
    return scale  # free of num_steps: a longer run needs no compilation
  fall = (num_steps - step) / config.decay_steps
  return jnp.clip(jnp.minimum(scale, fall), 0.0, 1.0)


def apply_gradient(params, optimizer_state, gradient, optimizer, learning_rate):
  """One update; returns new parameters and optimizer state."""
  updates, optimizer_state = optimizer.update(gradient, optimizer_state)
  updates = jax.tree.map(lambda u: -learning_rate * u, updates)
  return optax.apply_updates(params, updates), optimizer_state


def moving_average(average, params, decay: float, step):
  """The next average of parameters; it follows faster at the beginning."""
  decay = jnp.minimum(decay, (1.0 + step) / (10.0 + step))
  return optax.incremental_update(params, average, 1 - decay)


def update_discriminator(
  config,
  params,
  optimizer_state,
  table,
  gradients,
  video_index,
  count,
  scale,
  begun=None,
):
  """One update of D, w0, b and the rows of W.

  Args:
    config: the experiment; its `optimizer` and `identity_table` are read.
    params: of D.
    optimizer_state: of D.
    table: IdentityTable, this device's part.
    gradients: (of D, a tree; of the rows, float [b, N]) of this device.
    video_index: int32 [b], the rows' videos.
    count: updates so far, this one included.
    scale: of the learning rates, from `learning_rate_scale`.
    begun: float [b, N] or None, as of `identity_table.update`.

  Returns:
    (params, optimizer_state, table, the gradient of D over all devices).
  """
  rates = config.optimizer
  gradient = parallel.mean(gradients[0])
  params, optimizer_state = apply_gradient(
    params,
    optimizer_state,
    gradient,
    adam(rates),
    scale * rates.discriminator_learning_rate,
  )
  table = identity_table.update(
    table,
    video_index,
    gradients[1],
    count,
    learning_rate=scale * config.identity_table.learning_rate,
    b2=rates.b2,
    epsilon=rates.epsilon,
    begun=begun,
  )
  return params, optimizer_state, table, gradient
