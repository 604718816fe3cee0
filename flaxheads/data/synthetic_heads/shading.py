"""Light on the surfaces: key light with shadow, sky, fill, rim, gloss."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from flaxheads.data.synthetic_heads import camera, materials
from flaxheads.data.synthetic_heads import scene as scene_lib
from flaxheads.data.synthetic_heads.solids import length, smooth_step


class Surface(NamedTuple):
  """What a ray met, in the head's frame: float32 [N], vectors as triples."""

  point: tuple[jax.Array, jax.Array, jax.Array]
  normal: tuple[jax.Array, jax.Array, jax.Array]
  view: tuple[jax.Array, jax.Array, jax.Array]  # towards the camera
  lit: jax.Array  # 0: in the key light's shadow, 1: lit
  open: jax.Array  # ambient occlusion, 1: unoccluded


def dot(a, b):
  """Scalar product of vectors given by their components."""
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def light_direction(scene):
  """Towards the key light, in the head's frame: three scalars."""
  azimuth, elevation = scene.motion.light_azimuth, scene.motion.light_elevation
  flat = jnp.cos(elevation)
  world = (
    flat * jnp.sin(azimuth),
    jnp.sin(elevation),
    flat * jnp.cos(azimuth),
  )
  return camera.rotate(scene.view.rotation.T, *world)


def _direction(scene, x, y, z):
  """A fixed direction of the world, in the head's frame."""
  return camera.rotate(scene.view.rotation.T, x, y, z)


def _power(value, doublings):
  """Value ** (2 ** doublings), value in [0, 1]."""
  for _ in range(doublings):
    value = value * value
  return value


def _gloss(normal, view, light, doublings):
  half = tuple(v + li for v, li in zip(view, light, strict=True))
  scale = jax.lax.rsqrt(dot(half, half) + 1e-6)
  return _power(jnp.clip(dot(normal, half) * scale, 0, 1), doublings)


def _irradiance(scene, surface, colour, wrap):
  """Diffuse light on `colour`; wrap [3] softens the terminator."""
  m = scene.motion
  n = surface.normal
  key = light_direction(scene)
  facing = dot(n, key)[..., None]
  lit = surface.lit[..., None]
  # The terminator of skin is soft and red: light leaks by `wrap` past it.
  soft = jnp.clip((facing + wrap) / (1 + wrap), 0, 1)
  direct = soft * soft * (lit + (1 - lit) * 0.25 * wrap)
  warmth = m.light_warmth * jnp.array([0.12, 0.0, -0.15])
  key_colour = 2.1 * m.light_power * (1 + warmth)
  up = dot(n, _direction(scene, 0.0, 1.0, 0.0))
  azimuth = m.light_azimuth
  fill = _direction(scene, -jnp.sin(azimuth), 0.1, 0.75)
  rim = _direction(scene, -0.8 * jnp.sin(azimuth), 0.45, -0.7)
  sky = (0.55 + 0.45 * up)[..., None] * jnp.array([0.42, 0.46, 0.52])
  floor = (0.5 - 0.5 * up)[..., None] * jnp.array([0.20, 0.16, 0.13])
  filled = jnp.clip(dot(n, fill), 0, 1)[..., None] * 0.38
  rimmed = jnp.clip(dot(n, rim), 0, 1)[..., None] * 0.5
  ambient = (sky + floor + filled + rimmed) * (
    surface.open[..., None] ** jnp.array([0.8, 1.0, 1.05])
  )
  return colour * (key_colour * direct + m.light_power * ambient)


def _hair_gloss(scene, surface, strand):
  """Kajiya and Kay 1989: gloss along the strands' direction."""
  n, point = surface.normal, surface.point
  # Strands run down and outwards, within the surface.
  dx, dz = point[0], point[2] + 2.0
  r = length(dx, dz) + 1.0
  down = (0.5 * dx / r, -1.0, 0.5 * dz / r)
  along = dot(n, down)
  shift = 0.12 * strand
  tangent = tuple(d - (along - shift) * c for d, c in zip(down, n, strict=True))
  scale = jax.lax.rsqrt(dot(tangent, tangent) + 1e-6)
  key = light_direction(scene)
  half = tuple(v + li for v, li in zip(surface.view, key, strict=True))
  half_scale = jax.lax.rsqrt(dot(half, half) + 1e-6)
  cosine = dot(tangent, half) * scale * half_scale
  sine2 = jnp.clip(1 - cosine * cosine, 0, 1)
  facing = jnp.clip(dot(n, key) + 0.3, 0, 1)
  return _power(sine2, 5) * facing, _power(sine2, 3) * facing


def shade(scene, surface, parts):
  """Linear RGB of a surface: [N, 3]. `parts` are the distances there."""
  x, y, z = surface.point
  n, v = surface.normal, surface.view
  key = light_direction(scene)
  power = scene.motion.light_power
  lit = surface.lit
  rim = 1 - jnp.clip(dot(n, v), 0, 1)
  fresnel = 0.04 + 0.5 * _power(rim, 2) * rim

  skin, shine = materials.skin(scene, x, y, z)
  colour = _irradiance(scene, surface, skin, jnp.array([0.36, 0.2, 0.15]))
  broad = _gloss(n, v, key, 3) * 0.07 + _gloss(n, v, key, 5) * 0.15
  shiny = (broad * lit + 0.10 * fresnel * surface.open) * shine * power
  colour = colour + shiny[..., None]

  white = materials.eyes(scene, x, y, z)
  eye = _irradiance(scene, surface, white, 0.35)
  spark = _gloss(n, v, key, 9) * 2.5 * (0.3 + 0.7 * lit)
  window = _gloss(n, v, _direction(scene, 0.35, 0.45, 0.82), 9) * 0.7
  eye = eye + ((spark + window) * power)[..., None]

  inside, wet = materials.mouth(scene, x, y, z)
  inside = _irradiance(scene, surface, inside, 0.2)
  inside = inside + (wet * _gloss(n, v, key, 6) * lit * 0.5)[..., None]

  strands, strand = materials.hair(scene, x, y, z)
  hair = _irradiance(scene, surface, strands, 0.25)
  sharp, wide = _hair_gloss(scene, surface, strand)
  tint = scene.identity.hair / (scene.identity.hair.max() + 0.05)
  glow = (0.35 * scene.identity.hair + 0.03) * (wide * power)[..., None]
  glint = (0.05 * tint + 0.03) * (sharp * power * (1 + strand))[..., None]
  hair = hair + (glow + glint) * (0.25 + 0.75 * lit)[..., None]

  world = camera.head_to_world(scene.view, x, y, z)
  body = camera.world_to_body(scene.view, *world)
  cloth = materials.clothes(scene, *body)
  cloth = _irradiance(scene, surface, cloth, 0.15)

  frame = jnp.broadcast_to(scene.identity.glasses_colour, cloth.shape)
  frame = _irradiance(scene, surface, frame, 0.1)
  frame = frame + (_gloss(n, v, key, 5) * 0.2 * power)[..., None]

  surfaces = (colour, eye, inside, hair, cloth, frame)
  return _nearest_colour(parts, surfaces)


def _nearest_colour(parts, colours):
  """The colour of the nearest part, blended within a hair's breadth."""
  nearest = parts.nearest()
  total, weights = 0.0, 0.0
  for distance, colour in zip(parts, colours, strict=True):
    weight = smooth_step(0.08, 0.0, distance - nearest)[..., None]
    total, weights = total + weight * colour, weights + weight
  return total / weights


def occlusion(scene, point, normal):
  """Ambient occlusion from three probes along the normal: [N]."""
  reach = jnp.array([0.35, 1.0, 2.6])

  def probe(n, total):
    r = reach[n]
    at = tuple(p + r * c for p, c in zip(point, normal, strict=True))
    gap = jnp.clip(r - scene_lib.distance(scene, *at), 0, r)
    return total + gap / r * jnp.array([0.26, 0.34, 0.30])[n]

  blocked = jax.lax.fori_loop(0, 3, probe, jnp.zeros_like(point[0]))
  return jnp.clip(1 - 1.05 * blocked, 0.05, 1)


def shadow(scene, point, normal, num_steps):
  """How much of the key light arrives: [N] in [0, 1], with soft edges."""
  key = light_direction(scene)
  start = tuple(p + 0.12 * c for p, c in zip(point, normal, strict=True))

  def step(_, carry):
    t, lit = carry
    at = tuple(s + t * k for s, k in zip(start, key, strict=True))
    d = scene_lib.distance(scene, *at)
    lit = jnp.minimum(lit, 9.0 * d / t + 0.25)
    return t + jnp.clip(0.8 * d, 0.18, 2.5), lit

  t0 = jnp.full_like(point[0], 0.15)
  _, lit = jax.lax.fori_loop(0, num_steps, step, (t0, jnp.ones_like(t0)))
  lit = jnp.clip(lit, 0, 1)
  return lit * lit * (3 - 2 * lit)
