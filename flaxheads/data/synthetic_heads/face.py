"""The curves of a face: eyelids, lips and brows, in front view.

The head's frame has its origin midway between the ears at the height of the
eyes: x to the image's right, y up, z towards the viewer of a frontal face,
in centimetres. The renderer carves and paints along these curves, and the
68 points are taken from the same ones.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from flaxheads.data.synthetic_heads.identity import Identity
from flaxheads.data.synthetic_heads.motion import Motion


class Side(NamedTuple):
  """What may differ between the face's halves."""

  lid_up: jax.Array  # cm, the upper lid's height above the corners
  lid_low: jax.Array  # cm, the lower lid's depth below the corners
  brow: jax.Array  # cm, the brow's lift


class Face(NamedTuple):
  """Numbers of one frame's face; float32 scalars, centimetres."""

  left: Side
  right: Side
  eye_x: jax.Array
  eye_half: jax.Array
  eye_tilt: jax.Array
  nose_tip_y: jax.Array
  nose_base_y: jax.Array
  nose_tip_z: jax.Array
  mouth_y: jax.Array
  mouth_half: jax.Array
  mouth_lift: jax.Array  # the corners' height
  mouth_rise: jax.Array  # the upper lip's opening
  mouth_fall: jax.Array  # the lower lip's opening
  lip_up: jax.Array
  lip_low: jax.Array
  lip_out: jax.Array
  chin_y: jax.Array
  chin_z: jax.Array
  jaw_drop: jax.Array


def make_face(identity: Identity, motion: Motion) -> Face:
  """Resolves one person and one frame (scalar fields) into a Face."""
  i, m = identity, motion

  def side(blink, brow):
    up = 0.55 * i.eye_open * i.eye_size + 0.45 * m.gaze_y + 0.06 * brow
    low = 0.40 * i.eye_size * (1 - 0.35 * jnp.clip(m.smile, 0, 1))
    up = jnp.maximum(up, 0.3)
    return Side(
      lid_up=up * (1 - blink) - 0.75 * low * blink,
      lid_low=low * (1 - 0.25 * blink),
      brow=0.6 * brow,
    )

  drop = 2.3 * m.jaw
  smile = m.smile
  closing = 1 - 0.5 * m.pucker
  return Face(
    left=side(m.blink_left, m.brow_left),
    right=side(m.blink_right, m.brow_right),
    eye_x=3.08 + i.eye_spacing,
    eye_half=1.40 * i.eye_size,
    eye_tilt=i.eye_tilt,
    nose_tip_y=(-3.75 - i.nose_length) * i.face_length + i.nose_turn,
    nose_base_y=(-4.85 - i.nose_length) * i.face_length,
    nose_tip_z=11.15 + i.nose_forward,
    mouth_y=(-7.05 - 0.5 * i.nose_length - i.mouth_drop) * i.face_length,
    mouth_half=2.5
    * i.mouth_width
    * (1 + 0.17 * smile - 0.32 * m.pucker - 0.06 * m.jaw),
    mouth_lift=0.55 * smile - 0.25 * m.jaw,
    mouth_rise=(0.25 * m.jaw + 0.12 * jnp.clip(smile, 0, 1)) * closing,
    mouth_fall=1.75 * m.jaw * closing + 0.1 * jnp.clip(smile, 0, 1),
    lip_up=0.72 * i.upper_lip * (1 - 0.25 * jnp.clip(smile, 0, 1)),
    lip_low=0.92 * i.lower_lip * (1 - 0.2 * jnp.clip(smile, 0, 1)),
    lip_out=0.45 * m.pucker,
    chin_y=-9.75 * i.face_length - 0.85 * drop,
    chin_z=7.7 + i.chin_forward - 0.45 * drop,
    jaw_drop=drop,
  )


def by_side(x, left, right):
  """`left` where x is on the image's left of a frontal head."""
  return jnp.where(x < 0, left, right)


def eyelids(face: Face, x):
  """Heights of the upper and the lower lid's edge at x, and s.

  s runs from -1 at the eye's inner corner to 1 at its outer one; beyond, the
  curves cross, so that nothing is between them.
  """
  s = (jnp.abs(x) - face.eye_x) / face.eye_half
  arch = 1.0 - s * s
  line = 0.5 * face.eye_tilt * s
  up = by_side(x, face.left.lid_up, face.right.lid_up)
  low = by_side(x, face.left.lid_low, face.right.lid_low)
  beyond = jnp.maximum(jnp.abs(s) - 1.0, 0.0)
  upper = line + up * arch * (1.0 - 0.16 * s) - beyond
  lower = line - low * arch * (1.0 + 0.22 * s) + beyond
  return upper, lower, s


def lips(face: Face, x):
  """Heights of the lips' edges at x: outer up, inner up, inner low, outer low.

  Also returns u, -1 and 1 at the corners of the mouth.
  """
  u = x / face.mouth_half
  arch = 1.0 - u * u
  line = face.mouth_y + face.mouth_lift * u * u
  wave = 0.07 * arch * (4.0 * u * u * arch - 0.35)
  inner_up = line + face.mouth_rise * arch + wave
  inner_low = line - face.mouth_fall * arch + wave
  a = jnp.abs(u)
  bow = 1.0 - 0.24 * jnp.maximum(1.0 - a / 0.22, 0.0)
  outer_up = inner_up + face.lip_up * arch * (1.0 - 0.38 * a) * bow
  outer_low = inner_low - face.lip_low * arch * (1.0 - 0.1 * a)
  return outer_up, inner_up, inner_low, outer_low, u


def brow_line(identity: Identity, face: Face, x):
  """Height of the brow's middle at x, its half thickness, and t.

  t runs from 0 at the inner end to 1 at the outer one.
  """
  t = (jnp.abs(x) - 1.3) / 4.5
  lift = by_side(x, face.left.brow, face.right.brow)
  rise = 1.75 + identity.brow_height + lift * (1.0 - 0.35 * t)
  centre = rise + identity.brow_arch * (1.0 - jnp.square(t / 0.62 - 1.0))
  # A frown pulls the inner ends down.
  centre = centre - 0.5 * jnp.maximum(-lift, 0.0) * (1.0 - t)
  half = identity.brow_thickness * (1.0 - 0.72 * jnp.clip(t, 0, 1))
  return centre, half, t
