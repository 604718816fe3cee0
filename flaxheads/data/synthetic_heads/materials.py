"""Surface colours: skin, eyes, mouth, hair, clothes.

Every function takes the Scene and points of a frame ([N] arrays, cm), and
returns linear RGB [N, 3]; some return how much the surface shines, too.
"""

import jax.numpy as jnp

from flaxheads.data.synthetic_heads import face as face_lib
from flaxheads.data.synthetic_heads import noise, wear
from flaxheads.data.synthetic_heads.solids import bump, length, smooth_step


def mix(a, b, t):
  """A where t is 0, b where it is 1; t is [N], colours [N, 3] or [3]."""
  return a + (b - a) * t[..., None]


def _complexion(scene, x, q, y, z):
  """Skin without hair, lips or lids."""
  i, face = scene.identity, scene.face
  sx, sy, sz = i.texture
  blotch = noise.fractal(0.5 * x + sx, 0.5 * y + sy, 0.5 * z + sz, 3)
  pores = noise.noise(4.1 * x + sy, 4.1 * y + sz, 4.1 * z + sx)
  tone = 1.0 + 0.07 * blotch + 0.05 * pores
  red = (
    bump((q - 4.3) / 2.8, (y + 2.9) / 2.4)
    + 0.9 * bump(x / 1.7, (y - face.nose_tip_y) / 1.7, (z - 11.0) / 2.5)
    + 0.5 * bump(x / 2.2, (y - face.chin_y) / 1.6)
    + 0.8 * smooth_step(6.6, 7.4, q) * smooth_step(4.0, 1.0, z)
    + 0.25 * blotch
  )
  red = jnp.clip(red, 0, 1) * i.skin_redness
  colour = i.skin * tone[..., None]
  colour = colour * (1 - red[..., None] * jnp.array([0.02, 0.26, 0.22]))
  spots = noise.noise(3.3 * x + sz, 3.3 * y + sx, 3.3 * z + sy)
  where = smooth_step(0.25, 0.6, spots) * bump(q / 7.5, (y + 2.0) / 4.5)
  brown = jnp.array([0.72, 0.55, 0.45])
  return (
    colour * (1 - where * i.freckles * 0.8)[..., None]
    + colour * brown * (where * i.freckles * 0.8)[..., None]
  )


def _lines(scene, x, q, y, z):
  """How dark the lines of age and expression are: [N]."""
  i, face = scene.identity, scene.face
  brow = 0.5 * (face.left.brow + face.right.brow)
  smile = jnp.clip(scene.motion.smile, 0, 1)
  worry = i.age + 0.7 * jnp.clip(brow, 0, 1)
  level = y + 0.05 * q * q - 0.25 * noise.noise(0.6 * x, 0.2 * y, z * 0.1)
  forehead = smooth_step(0.72, 1.0, noise.wave(0.82 * level))
  forehead = forehead * bump(q / 5.5, (y - 5.0) / 2.4) * worry
  # From the nose's wings past the corners of the mouth.
  t = (face.nose_base_y + 1.0 - y) / 4.0
  fold_x = 1.7 * i.nose_width + 1.9 * t * (1 - 0.25 * t) + 0.3 * smile
  fold = bump((q - fold_x) / 0.45, (t - 0.45) / 0.7) * (
    0.25 + 0.8 * i.age + 0.7 * smile
  )
  bag_y = -0.95 - 0.1 * (q - face.eye_x)
  bag = bump((q - face.eye_x + 0.3) / 1.7, (y - bag_y) / 0.55)
  bag = bag * (0.2 + 0.7 * i.age)
  feet = smooth_step(0.4, 1.0, noise.wave(1.5 * (y + 0.3 * (q - 5.0))))
  feet = feet * bump((q - 5.4) / 0.9, y / 1.3) * (i.age + 0.6 * smile)
  between = bump((q - 0.55) / 0.28, (y - 1.9) / 1.2)
  between = between * (0.4 * i.age + jnp.clip(-brow, 0, 1))
  front = smooth_step(3.0, 5.0, z)
  total = 0.5 * forehead + 0.4 * fold + 0.35 * bag + 0.4 * feet + 0.4 * between
  return jnp.clip(total * front, 0, 0.75)


def _facial_hair(scene, x, q, y, z, grain):
  """Cover by beard and moustache: [N] in [0, 1]."""
  i, face = scene.identity, scene.face
  outer_up, _, _, outer_low, u = face_lib.lips(face, x)
  cheek_line = -6.6 + 0.85 * jnp.maximum(q - 2.6, 0.0) + 0.4 * grain
  low = smooth_step(0.5, -0.9, y - cheek_line)
  low = low * smooth_step(-1.5, 0.5, z) * smooth_step(-13.5, -10.5, y)
  chin = smooth_step(0.25, -0.35, y - outer_low)
  low = low * jnp.where(
    jnp.abs(u) < 1.15, jnp.maximum(chin, jnp.abs(u) > 1.05), 1
  )
  patch = 1 - 0.6 * bump((q - 1.7) / 1.0, (y - outer_low + 0.6) / 0.8)
  above = smooth_step(-0.05, 0.3, y - outer_up)
  above = above * smooth_step(0.2, -0.6, y - face.nose_base_y)
  above = above * smooth_step(1.4, 1.05, jnp.abs(u)) * (z > 5)
  cover = low * patch * i.beard + above * i.moustache
  return jnp.clip(cover * (1.05 + 0.55 * grain), 0, 0.94)


def skin(scene, x, y, z):
  """Skin with lips, brows, lashes, beard and close-cropped hair.

  Returns:
    RGB [N, 3] and shine [N].
  """
  i, face = scene.identity, scene.face
  q = jnp.abs(x)
  front = smooth_step(3.0, 5.0, z)
  colour = _complexion(scene, x, q, y, z)
  lines = _lines(scene, x, q, y, z)
  colour = colour * (1 - lines[..., None] * jnp.array([0.45, 0.6, 0.65]))
  shine = 1.0 - 0.3 * lines

  upper, lower, s = face_lib.eyelids(face, x)
  lid = bump((q - face.eye_x) / 2.2, y / 1.7) * front
  colour = colour * (1 - 0.22 * lid[..., None] * jnp.array([0.7, 1.0, 0.9]))
  crease = bump((y - upper - 0.42) / 0.16) * jnp.maximum(1 - s * s, 0)
  colour = colour * (1 - 0.5 * i.lid_fold * (crease * front)[..., None])

  outer_up, inner_up, inner_low, outer_low, u = face_lib.lips(face, x)
  edge = 0.14
  on_lips = jnp.minimum(
    smooth_step(edge, -edge, y - outer_up),
    smooth_step(-edge, edge, y - outer_low),
  )
  on_lips = on_lips * smooth_step(1.04, 0.96, jnp.abs(u)) * front
  ridges = noise.noise(5.0 * x + i.texture[0], 0.8 * y, 0.5 * z)
  colour = mix(colour, i.lip * (1 + 0.16 * ridges)[..., None], on_lips)
  middle = 0.5 * (inner_up + inner_low)
  seam = bump((y - middle) / (0.14 + 0.5 * (inner_up - inner_low)))
  seam = seam * smooth_step(1.08, 0.95, jnp.abs(u)) * front
  colour = colour * (1 - 0.75 * seam[..., None])
  shine = shine + 0.9 * on_lips

  # Hair on the skin: brows, lashes, beard, and the scalp's border.
  fine = noise.noise(7.0 * x, 2.2 * y - 3.0 * q, 2.0 * z)
  centre, half, t = face_lib.brow_line(i, face, x)
  brow = smooth_step(1.15, 0.45, jnp.abs(y - centre) / half + 0.45 * fine)
  brow = brow * smooth_step(-0.06, 0.10, t) * smooth_step(1.08, 0.85, t)
  brow = brow * front * i.brow_density
  hairs = jnp.minimum(0.45 * i.hair + 0.004, 0.3 * i.skin)
  colour = mix(colour, hairs, 0.95 * brow)
  lash = bump((y - upper - 0.04) / 0.17) * smooth_step(1.12, 0.95, jnp.abs(s))
  lash = 0.9 * lash + 0.4 * bump((y - lower) / 0.1) * (jnp.abs(s) < 0.95)
  colour = mix(colour, jnp.array([0.02, 0.013, 0.01]), lash * front)
  grain = noise.noise(5.5 * x, 5.5 * y, 5.5 * z)
  beard = _facial_hair(scene, x, q, y, z, grain) * (1 - on_lips)
  colour = mix(colour, i.hair * (0.75 + 0.25 * grain)[..., None], 0.9 * beard)
  border = wear.hair_border(i, x, y, z) + 0.5 * grain
  scalp = smooth_step(-0.6, 0.6, border) * i.hair_cover
  scalp = scalp * smooth_step(8.2, 7.6, q + 0.0 * y) * 0.93
  colour = mix(colour, i.hair * 0.8, scalp)
  dull = jnp.maximum(jnp.maximum(beard, scalp), brow)
  return colour, shine * (1 - 0.8 * dull)


def eyes(scene, x, y, z):
  """Sclera, iris and pupil: [N, 3]."""
  i, face, m = scene.identity, scene.face, scene.motion
  side = jnp.sign(x)
  radius = 1.5
  ex, ey, ez = (x - side * face.eye_x) / radius, y / radius, (z - 6.75) / radius
  # The eyes converge a little, on somebody near the camera.
  gx = jnp.sin(m.gaze_x) * 0.8 - 0.02 * side
  gy = jnp.sin(m.gaze_y) * 0.8 + 0.02
  gz = jnp.sqrt(1 - gx * gx - gy * gy)
  along = ex * gx + ey * gy + ez * gz
  dx, dy = ex - along * gx, ey - along * gy
  rho = length(dx, dy, ez - along * gz) * radius / 0.64
  upper, lower, s = face_lib.eyelids(face, x)
  veins = noise.fractal(3 * x + i.texture[0], 3 * y, i.texture[1], 2)
  corner = smooth_step(0.5, 1.05, jnp.abs(s))
  white = jnp.array([0.55, 0.525, 0.50]) * (1 - 0.06 * veins)[..., None]
  white = mix(white, jnp.array([0.52, 0.28, 0.24]), 0.7 * corner)
  ray = noise.noise(9 * dx / (rho + 0.1), 9 * dy / (rho + 0.1), i.texture[2])
  ring = smooth_step(0.55, 0.25, rho)
  iris = i.iris * (0.55 + 0.3 * ray + 0.45 * ring)[..., None]
  iris = iris * (1 - 0.75 * smooth_step(0.72, 1.0, rho))[..., None]
  iris = iris * smooth_step(0.36, 0.46, rho)[..., None]
  colour = mix(iris, white, smooth_step(0.92, 1.1, rho))
  # The lashes and the upper lid shade the eyeball.
  shade = 0.35 + 0.65 * smooth_step(0.0, 0.42, upper - y)
  shade = shade * (0.75 + 0.25 * smooth_step(0.0, 0.15, y - lower))
  return colour * shade[..., None]


def mouth(scene, x, y, z):
  """Teeth, tongue and the dark between: [N, 3] and shine [N]."""
  face = scene.face
  del z
  rest = face.mouth_y
  arc = 0.10 * jnp.square(x / 1.5)
  upper_edge = rest - 0.18 + arc
  lower_edge = rest - 0.75 - 0.9 * face.mouth_fall - arc
  on_upper = smooth_step(-0.05, 0.06, y - upper_edge)
  on_lower = smooth_step(0.05, -0.06, y - lower_edge)
  gap = smooth_step(0.86, 1.0, jnp.abs(noise.wave(x / 1.7)) * 1.02)
  tooth = jnp.array([0.62, 0.58, 0.50]) * (1 - 0.45 * gap)[..., None]
  tooth = tooth * (1.05 - 0.16 * jnp.square(x))[..., None].clip(0.1)
  dark = jnp.array([0.035, 0.008, 0.008])
  tongue = bump(x / 1.5, (y - lower_edge - 0.15) / 0.75)
  colour = mix(dark, jnp.array([0.33, 0.085, 0.08]), 0.8 * tongue)
  colour = mix(colour, 0.6 * tooth, on_lower)
  colour = mix(colour, tooth, on_upper)
  return colour, 0.8 * jnp.maximum(on_upper, on_lower)


def hair(scene, x, y, z):
  """Colour of the hair, and the strands' noise [N] that its gloss follows."""
  i = scene.identity
  ax, az, along = wear.strands(i, x, y, z)
  sx, sy, sz = i.texture
  fine = noise.noise(34 * ax + sx, 34 * az + sy, 0.25 * along)
  coarse = noise.noise(7 * ax + sy, 7 * az + sz, 0.12 * along)
  curl = noise.fractal(1.2 * x + sx, 1.2 * y + sy, 1.2 * z, 2)
  strand = (1 - i.hair_curl) * (0.6 * fine + 0.5 * coarse) + (
    i.hair_curl * (0.35 * fine + 0.6 * curl)
  )
  return i.hair * jnp.exp(0.9 * strand)[..., None], strand


def clothes(scene, x, y, z):
  """Cloth: [N, 3]; the body's frame."""
  i = scene.identity
  first, second = i.cloth
  stripes, checks, knit, dots = i.cloth_pattern
  across = smooth_step(-0.2, 0.2, noise.wave(y * 0.45 + 0.02 * x * x * 0.2))
  upright = smooth_step(-0.2, 0.2, noise.wave(x * 0.35))
  rib = 0.5 + 0.5 * noise.wave(x * 1.1) * noise.wave(y * 1.1 + 0.25)
  cell = length(noise.wave(x * 0.5), noise.wave(y * 0.5))
  share = (
    stripes * across
    + checks * 0.5 * (across + upright)
    + dots * smooth_step(0.45, 0.3, cell)
  )
  colour = mix(first, second, share)
  weave = noise.noise(6 * x, 6 * y, 6 * z)
  folds = noise.fractal(0.22 * x + i.texture[0], 0.22 * y, 0.22 * z, 2)
  tone = 1 + 0.10 * weave + 0.16 * folds - 0.35 * knit * rib
  return colour * tone[..., None]
