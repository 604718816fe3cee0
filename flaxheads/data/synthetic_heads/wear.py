"""Hair, glasses and clothes as signed distances."""

import jax.numpy as jnp

from flaxheads.data.synthetic_heads import noise, solids
from flaxheads.data.synthetic_heads.solids import (
  capsule,
  ellipsoid,
  length,
  smooth_max,
  smooth_min,
  smooth_step,
)


def hair_border(identity, x, y, z):
  """How far a point lies within the hair's region, cm; negative outside."""
  i = identity
  q = jnp.abs(x)
  border = y - i.hairline - i.hair_slope * (z - 8.0)
  front = smooth_step(2.0, 6.0, z)
  border = border - front * i.hair_sweep * x
  # Long hair without a fringe is parted, and drapes to both sides.
  drape = (i.hair_length > 3.0) * smooth_step(4.5, 6.0, i.hairline)
  aside = jnp.minimum(jnp.abs(x - 0.5 * i.hair_part), 6.0)
  border = border + front * drape * (0.55 * aside - 1.1)
  temple = solids.bump((q - 4.6) / 3.2, (y - 5.5) / 5.0)
  border = border - 2.2 * i.hair_temple * front * temple
  sideburn = solids.bump((z - 1.6) / 1.7, (q - 6.5) / 2.0)
  uneven = 0.22 * noise.wave(0.31 * x + 0.2 * z) * noise.wave(0.83 * x + 0.1)
  return border + 1.6 * sideburn + uneven


def strands(identity, x, y, z):
  """Coordinates across (2) and along (1) the strands.

  Strands fall from an axis at the parting: across them, points differ in
  their direction from it.
  """
  i = identity
  dx, dz = x - 0.6 * i.hair_part, z + 2.0
  r = length(dx, dz, 0.35 * jnp.maximum(y - 3.0, 0.0))
  wave = i.hair_curl * noise.wave(0.16 * y + 0.05 * x)
  swing = 0.25 * wave
  return dx / r + swing * dz / r, dz / r - swing * dx / r, y - 0.3 * r


def hair(identity, x, y, z, bone):
  """Distance to the hair's surface. `bone` is the distance to the skull."""
  i = identity
  q = jnp.abs(x)
  border = hair_border(i, x, y, z)
  top = smooth_step(1.0, 9.0, y)
  across_x, across_z, along = strands(i, x, y, z)
  lock = noise.wave(3.1 * across_x + 0.04 * along + 0.3)
  lock = lock * noise.wave(3.7 * across_z + 0.05 * along + 0.1)
  curl = noise.wave(0.37 * x + 0.1 * y) * noise.wave(0.41 * y)
  curl = curl * noise.wave(0.39 * z + 0.2)
  fine = noise.wave(11.0 * across_x + 0.13 * along + 0.3 * lock)
  straight = 0.17 * lock + 0.06 * fine
  relief = straight * (1 - i.hair_curl) + 0.4 * i.hair_curl * curl
  volume = i.hair_side + (i.hair_top - i.hair_side) * top
  # Hair rises gently from the hairline; a fringe ends in an edge.
  edge = 0.06 + 0.5 * smooth_step(5.0, 4.0, i.hairline)
  grown = edge + (1 - edge) * smooth_step(-0.2, 3.2, border)
  part = solids.bump((x - i.hair_part) / 0.5) * top * (1 - i.hair_curl)
  volume = volume * grown * (1 - 0.35 * part)
  relief = relief * jnp.minimum(volume, 1.0)
  cap = bone - volume - relief
  cap = smooth_max(cap, -0.75 * border, 0.25 + 0.5 * edge * i.hair_top)
  # Long hair: a hull about head and neck, open in front.
  bulk = 0.5 * i.hair_side
  hull = ellipsoid(q, y + 3.5, z + 1.8, 7.9 + bulk, 14.5, 8.4 + bulk) - relief
  opening = ellipsoid(q, y + 9.0, z - 9.0, 6.6, 20.0, 10.2)
  hull = smooth_max(hull, -opening, 1.2)
  hull = smooth_max(hull, -(y + i.hair_length + 0.8 * lock), 1.0)
  hull = smooth_max(hull, y - 6.0, 3.0)
  # Shift it away when there is none.
  hull = hull + 60.0 * (i.hair_length < 3.0)
  d = smooth_min(cap, hull, 1.2)
  bun = solids.sphere(x, y - 10.0, z + 6.5, 3.0) - relief
  d = smooth_min(d, bun + 60.0 * (1 - i.hair_bun), 0.6)
  # Curls are steep: a shorter step keeps rays from passing through them.
  return d * (1 - 0.5 * i.hair_curl) + 60.0 * (1 - i.hair_cover)


def glasses(identity, face, x, y, z):
  """Distance to the frame of the glasses."""
  i = identity
  q = jnp.abs(x)
  rx, ry = (
    2.65 * i.glasses_size,
    (1.75 + 0.6 * i.glasses_round) * (i.glasses_size),
  )
  dx, dy = q - face.eye_x - 0.1, y + 0.35
  corner = 0.7 + i.glasses_round * (ry - 0.75)
  ax = jnp.maximum(jnp.abs(dx) - rx + corner, 0.0)
  ay = jnp.maximum(jnp.abs(dy) - ry + corner, 0.0)
  ring = length(ax, ay) - corner
  plane = 9.6 - 0.035 * q * q
  rim = length(ring, z - plane) - 0.16
  bridge = capsule(q, y, z, (0.0, 0.55, 9.75), (0.75, 0.1, 9.5), 0.12, 0.12)
  arm = capsule(q, y, z, (5.7, 0.3, 8.4), (7.7, 0.6, -1.0), 0.12, 0.12)
  d = jnp.minimum(jnp.minimum(rim, bridge), arm)
  return d + 60.0 * (1 - i.glasses)


def clothes(identity, x, y, z):
  """Distance to the clothes. The body's frame: the head's one at rest."""
  i = identity
  q = jnp.abs(x)
  torso = ellipsoid(x, y + 27.0, z + 3.5, 20.5, 11.5, 8.5)
  slope = capsule(q, y, z, (3.5, -13.5, -4.0), (13.0, -18.5, -4.0), 2.0, 3.2)
  d = smooth_min(torso, slope, 3.0)
  height = i.collar_height
  ring_y = -14.6 + 0.28 * (z + 3.0) * -1.0
  dy = jnp.maximum(jnp.abs(y - ring_y + 0.8 - 0.5 * height) - 0.5 * height, 0)
  around = length(x / 1.04, z + 3.2) - 6.1 - 0.12 * (ring_y - y)
  collar = length(around, dy) - 0.5 * i.collar_width
  return smooth_min(d, collar, 0.5)
