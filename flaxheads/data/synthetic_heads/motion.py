"""The motion of a synthetic head: pose, expression, gaze, light and camera."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Motion(NamedTuple):
  """A clip's motion: every field float32 [F].

  Angles are radians. Positive yaw turns the nose to the image's right,
  positive pitch down, positive roll tilts the head clockwise in the image.
  'left' is the image's left.
  """

  yaw: jax.Array
  pitch: jax.Array
  roll: jax.Array
  shift_x: jax.Array  # cm, to the image's right
  shift_y: jax.Array  # cm, up
  shift_z: jax.Array  # cm, towards the camera
  jaw: jax.Array  # 0: closed, 1: wide open
  smile: jax.Array  # -0.5: frown, 1: broad smile
  pucker: jax.Array  # 0 to 1: rounded lips
  blink_left: jax.Array  # 0: open, 1: shut
  blink_right: jax.Array
  brow_left: jax.Array  # -1: frowning, 1: raised
  brow_right: jax.Array
  gaze_x: jax.Array  # radians, to the image's right
  gaze_y: jax.Array  # radians, up
  light_azimuth: jax.Array  # radians, 0: from the camera, to the right
  light_elevation: jax.Array  # radians above the horizon
  light_warmth: jax.Array  # -1: blue, 1: orange
  light_power: jax.Array  # 1: average exposure
  zoom: jax.Array  # 1: average framing


def _wave(key, seconds, low_hz, high_hz, num=4):
  """A smooth random function of time within [-1, 1]: [F]."""
  k_frequency, k_phase, k_weight = jax.random.split(key, 3)
  frequency = jax.random.uniform(
    k_frequency, (num,), minval=low_hz, maxval=high_hz
  )
  phase = jax.random.uniform(k_phase, (num,), maxval=2 * jnp.pi)
  weight = jax.random.uniform(k_weight, (num,), minval=0.3, maxval=1.0)
  waves = jnp.sin(2 * jnp.pi * frequency * seconds[:, None] + phase)
  return (waves * weight / weight.sum()).sum(-1)


def _bump(offset, width):
  """A smooth bump of height 1 at offset 0, gone at +-width."""
  return jnp.square(jnp.clip(1 - jnp.square(offset / width), 0, 1))


def _blinks(key, seconds):
  """Blinks about every three seconds, each a third of a second: [F]."""
  k_period, k_phase, k_jitter = jax.random.split(key, 3)
  period = jax.random.uniform(k_period, minval=2.0, maxval=4.5)
  phase = jax.random.uniform(k_phase, maxval=4.5)
  index = jnp.round((seconds + phase) / period)
  jitter = jax.vmap(
    lambda i: jax.random.uniform(jax.random.fold_in(k_jitter, i))
  )(index.astype(jnp.int32))
  centre = index * period + (jitter - 0.5) * 0.4 * period - phase
  return _bump(seconds - centre, 0.17)


def _speech(key, seconds):
  """Jaw and pucker of syllables at 2 to 4 Hz, with pauses: two [F]."""
  k = jax.random.split(key, 4)
  beat = _wave(k[0], seconds, 0.7, 1.5, num=3)
  pace = jnp.sqrt(jnp.square(beat) + 0.02) - 0.1  # no kink where it turns
  talking = jnp.clip(0.55 + 1.4 * _wave(k[1], seconds, 0.1, 0.35), 0, 1)
  loud = jax.random.uniform(k[2], minval=0.4, maxval=1.0)
  jaw = jnp.clip(1.5 * loud * pace * talking - 0.08, 0, 1)
  pucker = jnp.clip(1.3 * _wave(k[3], seconds, 0.4, 1.3), 0, 0.9)
  return jaw, pucker * talking


def sample_motion(key: jax.Array, seconds: jax.Array) -> Motion:
  """Draws the motion, the light and the camera of a clip.

  Args:
    key: a JAX random key.
    seconds: when there is a frame: float32 [F]. A frame depends on the key and
      its own time alone.

  Returns:
    A Motion of [F] arrays, smooth in time. |yaw| stays below 45 degrees.
  """
  keys = iter(jax.random.split(key, 40))

  def even(low, high):
    return jax.random.uniform(next(keys), minval=low, maxval=high)

  def drift(reach, low_hz=0.05, high_hz=0.4):
    return reach * _wave(next(keys), seconds, low_hz, high_hz)

  jaw, pucker = _speech(next(keys), seconds)
  blink = _blinks(next(keys), seconds)
  wink = 1 - 0.1 * jnp.abs(drift(1.0))
  brow = even(-0.3, 0.3) + drift(0.8, 0.1, 0.7)
  smile = jnp.clip(even(-0.2, 0.5) + drift(0.6, 0.05, 0.5), -0.4, 1)
  yaw = jnp.clip(even(-0.35, 0.35) + drift(0.75), -0.77, 0.77)
  gaze_x = jnp.clip(drift(0.5, 0.2, 0.8) - 0.3 * yaw, -0.5, 0.5)
  return Motion(
    yaw=yaw,
    pitch=jnp.clip(even(-0.12, 0.12) + drift(0.3, 0.1, 0.6), -0.4, 0.4),
    roll=jnp.clip(even(-0.1, 0.1) + drift(0.3), -0.4, 0.4),
    shift_x=drift(0.9),
    shift_y=drift(0.6),
    shift_z=drift(1.5),
    jaw=jaw,
    smile=smile,
    pucker=pucker * (1 - 0.7 * jnp.clip(smile, 0, 1)),
    blink_left=blink,
    blink_right=blink * wink,
    brow_left=jnp.clip(brow + drift(0.15), -1, 1),
    brow_right=jnp.clip(brow + drift(0.15), -1, 1),
    gaze_x=gaze_x,
    gaze_y=drift(0.25, 0.2, 0.8),
    light_azimuth=even(-1.1, 1.1) + drift(0.5, 0.03, 0.2),
    light_elevation=even(0.15, 0.9) + drift(0.25, 0.03, 0.2),
    light_warmth=even(-0.7, 1.0) + drift(0.2, 0.03, 0.2),
    light_power=even(0.8, 1.2) * (1 + drift(0.1, 0.05, 0.3)),
    zoom=1 + drift(0.03, 0.03, 0.2) + even(-0.03, 0.03),
  )
