"""The bare head as signed distances: skull, face, ears, neck, eyes, mouth."""

import jax.numpy as jnp

from flaxheads.data.synthetic_heads import face as face_lib
from flaxheads.data.synthetic_heads import solids
from flaxheads.data.synthetic_heads.solids import (
  bump,
  capsule,
  ellipsoid,
  smooth_max,
  smooth_min,
  smooth_step,
)

EYE_RADIUS = 1.5


def skull(identity, q, y, z):
  """The cranium, which hair grows from. q is |x|."""
  return ellipsoid(
    q,
    y - 2.6,
    z - 0.1,
    7.35 * identity.head_width,
    8.5 * identity.head_height,
    9.2,
  )


def _cheeks_and_jaw(identity, face, q, y, z, d):
  i = identity
  # The middle of the face leans forward towards the chin.
  lean = z - 2.5 + 0.22 * (y + 2.5)
  middle = ellipsoid(q, y + 2.4, lean, 6.45 * i.face_width, 8.3, 6.35)
  d = smooth_min(d, middle, 1.6)
  jaw = capsule(
    q,
    y,
    z,
    (4.2 * i.jaw_width, -6.1 * i.face_length - 0.35 * face.jaw_drop, 1.0),
    (1.1 * i.chin_width, face.chin_y + 0.1, face.chin_z - 0.4),
    1.45,
    1.25,
  )
  d = smooth_min(d, jaw, 2.6)
  chin = solids.sphere(
    jnp.maximum(q - 0.6 * i.chin_width, 0.0),
    y - face.chin_y,
    z - face.chin_z,
    1.35,
  )
  d = smooth_min(d, chin, 1.6)
  # Ahead of the contour's points the face is hardly wider: they are its outline
  # from ahead, as in photographs, and ears stand out beyond it.
  cheek = solids.sphere(q - 3.6 * i.face_width, y + 2.4, z - 5.6, 2.1)
  d = smooth_min(d, cheek - i.cheekbone, 2.4)
  muzzle = ellipsoid(q, y - face.mouth_y, z - 6.4, 3.3, 3.0, 3.55)
  return smooth_min(d, muzzle, 1.6)


def _brows_and_sockets(identity, face, x, q, y, z, d):
  ridge = capsule(q, y, z, (0.9, 1.7, 8.05), (4.9, 1.7, 6.0), 0.95, 0.8)
  d = smooth_min(d, ridge - identity.brow_ridge, 1.8)
  hollow = solids.sphere(q - 3.0, y + 0.1, z - 10.9, 2.75)
  d = smooth_max(d, -hollow, 1.3)
  # The lids: a ball about the eyeball, with a crease above the upper one.
  ball_z = 6.75
  lid = solids.sphere(q - face.eye_x, y, z - ball_z, EYE_RADIUS + 0.16)
  upper, _, s = face_lib.eyelids(face, x)
  crease = bump((y - upper - 0.38) / 0.22) * jnp.maximum(1 - s * s, 0)
  d = smooth_min(d, lid, 0.7)
  return d + 0.10 * identity.lid_fold * crease


def _nose(identity, face, q, y, z, d):
  i = identity
  tip_y, tip_z, base_y = face.nose_tip_y, face.nose_tip_z, face.nose_base_y
  bridge = capsule(
    q,
    y,
    z,
    (0.0, 0.9, 7.95),
    (0.0, tip_y + 0.5, tip_z - 0.5),
    0.72,
    0.72 * i.nose_width,
  )
  hump = bump((y + 1.2) / 1.6, q / 1.2)
  d = smooth_min(d, bridge - i.nose_bump * hump, 1.5)
  tip = solids.sphere(q, y - tip_y, z - tip_z, 0.92)
  d = smooth_min(d, tip, 0.9)
  wing = ellipsoid(
    q - 1.18 * i.nose_width, y - base_y - 0.62, z - tip_z + 1.6, 0.66, 0.72, 1.1
  )
  d = smooth_min(d, wing, 0.55)
  septum = capsule(
    q, y, z, (0.0, base_y + 0.5, tip_z - 0.5), (0.0, base_y, 9.4), 0.42, 0.42
  )
  d = smooth_min(d, septum, 0.5)
  nostril = ellipsoid(
    q - 0.66 * i.nose_width,
    y - base_y - 0.08,
    z - tip_z + 1.05,
    0.36,
    0.36,
    0.6,
  )
  return smooth_max(d, -nostril, 0.25)


def _lip_relief(identity, face, x, y, z, d):
  """Lips, philtrum, folds: relief along z; then the openings are cut."""
  outer_up, inner_up, inner_low, outer_low, u = face_lib.lips(face, x)
  arch = jnp.maximum(1.0 - u * u, 0.0)
  up = (y - inner_up) / (outer_up - inner_up + 0.05)
  low = (inner_low - y) / (inner_low - outer_low + 0.05)
  full_up = jnp.clip(up, 0, 1) * jnp.clip(1.15 - up, 0, 1)
  full_low = jnp.clip(low, 0, 1) * jnp.clip(1.15 - low, 0, 1)
  relief = (1.0 * full_up + 1.35 * full_low) * jnp.sqrt(arch)
  relief = relief + (0.12 + face.lip_out) * bump(
    u / 1.25, (y - face.mouth_y) / 2.0
  )
  groove = bump(x / 0.5, (y - 0.5 * (outer_up + face.nose_base_y)) / 1.1)
  under = bump(u / 0.8, (y - outer_low + 0.45) / 0.7)
  corner = bump((jnp.abs(u) - 1.04) / 0.2, (y - face.mouth_y) / 0.8)
  relief = relief - 0.16 * groove - 0.25 * under - 0.14 * corner
  front = smooth_step(4.0, 6.0, z)
  d = d - relief * front
  gap = jnp.minimum(inner_up - y, y - inner_low)
  gap = gap - 1.5 * jnp.maximum(jnp.abs(u) - 1.0, 0.0)
  return smooth_max(d, jnp.minimum(gap, z - 5.0), 0.16)


def _ears(identity, q, y, z):
  i = identity
  # Turned about the vertical, away from the skull.
  dx, dz = q - 7.0 * i.head_width, z + 0.6
  out = dx - i.ear_angle * dz * -1.0
  along = dz + i.ear_angle * dx * -1.0
  up = y + 0.9 - 0.15 * along
  size = i.ear_size
  shell = ellipsoid(
    out, up, along + 0.25 * up * (up < 0), 0.6, 3.0 * size, 1.75 * size
  )
  bowl = ellipsoid(
    out - 0.62, up - 0.35, along - 0.2, 0.7, 2.3 * size, 1.15 * size
  )
  return smooth_max(shell, -bowl, 0.4)


def skin(identity, face, neck_base, x, y, z):
  """Distance to the skin.

  Args:
    identity: an Identity of scalars.
    face: the frame's Face.
    neck_base: the neck's lower end in the head's frame, three scalars.
    x: to the image's right in the head's frame, cm.
    y: up.
    z: ahead.

  Returns:
    The distance, and that to the skull, which the hair needs too.
  """
  i, q = identity, jnp.abs(x)
  bone = skull(i, q, y, z)
  d = _cheeks_and_jaw(identity, face, q, y, z, bone)
  d = _brows_and_sockets(identity, face, x, q, y, z, d)
  d = _nose(identity, face, q, y, z, d)
  d = _lip_relief(identity, face, x, y, z, d)
  # Openings of the eyes.
  upper, lower, _ = face_lib.eyelids(face, x)
  gap = jnp.minimum(upper - y, y - lower)
  d = smooth_max(d, jnp.minimum(gap, z - 4.0), 0.1)
  d = smooth_min(d, _ears(identity, q, y, z), 0.5)
  neck = capsule(x, y, z, (0.0, -4.5, -2.2), neck_base, 4.9 * i.neck_width, 5.3)
  return smooth_min(d, neck, 1.2), bone


def eyeballs(face, q, y, z):
  """Distance to the eyeballs. q is |x|."""
  return solids.sphere(q - face.eye_x, y, z - 6.75, EYE_RADIUS)


def mouth_floor(face, x, y, z):
  """The surface behind the lips, on which teeth and tongue are painted."""
  return ellipsoid(x, y - face.mouth_y, z - 6.2, 2.7, 3.6, 3.05)
