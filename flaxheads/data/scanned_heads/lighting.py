"""Light: procedural panoramas, their spherical harmonics, and lamps."""

from typing import NamedTuple

import numpy as np

HEIGHT, WIDTH = 32, 64
KINDS = ('room', 'window', 'office', 'outdoor', 'overcast', 'night', 'studio')


class Light(NamedTuple):
  """All light of a clip, world frame: x right, y up, z towards the camera.

  Attributes:
    panorama: float32 [HEIGHT, WIDTH, 3] radiance; row 0 is straight up, the
      middle column is behind the camera (+z).
    lamps: float32 [3, 3] unit directions towards the lamps.
    colours: float32 [3, 3] their irradiance; the first casts shadows.
    softness: of the first lamp's shadow, radians.
  """

  panorama: np.ndarray
  lamps: np.ndarray
  colours: np.ndarray
  softness: float


def directions() -> tuple[np.ndarray, np.ndarray]:
  """Unit vectors of the panorama's pixels [H, W, 3], their solid angles."""
  polar = (np.arange(HEIGHT) + 0.5) / HEIGHT * np.pi
  turn = ((np.arange(WIDTH) + 0.5) / WIDTH - 0.5) * 2 * np.pi
  polar, turn = np.meshgrid(polar, turn, indexing='ij')
  sine = np.sin(polar)
  way = np.stack([sine * np.sin(turn), np.cos(polar), sine * np.cos(turn)], -1)
  area = sine * (np.pi / HEIGHT) * (2 * np.pi / WIDTH)
  return way, area


def harmonics(way: np.ndarray) -> np.ndarray:
  """Real spherical harmonics of bands 0 to 2: [..., 3] to [..., 9]."""
  x, y, z = way[..., 0], way[..., 1], way[..., 2]
  return np.stack(
    [
      0.282095 + 0 * x,
      0.488603 * y,
      0.488603 * z,
      0.488603 * x,
      1.092548 * x * y,
      1.092548 * y * z,
      0.315392 * (3 * z * z - 1),
      1.092548 * x * z,
      0.546274 * (x * x - y * y),
    ],
    -1,
  )


# What a Lambertian surface makes of each band, divided by pi
# (Ramamoorthi and Hanrahan 2001).
LAMBERT = np.array([1.0] + [2 / 3] * 3 + [1 / 4] * 5, np.float32)


def project(panorama, rotation) -> np.ndarray:
  """Coefficients [9, 3] of the panorama as seen from a rotated frame."""
  way, area = directions()
  local = way.reshape(-1, 3) @ rotation  # the inverse of the rotation
  return harmonics(local).T @ (panorama * area[..., None]).reshape(-1, 3)


def _patch(way, towards, size, soft=0.15):
  """A soft disc of angular radius `size` about a direction: [H, W, 1]."""
  towards = towards / np.linalg.norm(towards)
  angle = np.arccos(np.clip(way @ towards, -1, 1))
  return (1 / (1 + np.exp((angle - size) / (soft * size))))[..., None]


def _towards(rng, lowest=0.05, highest=1.2, front=1.9):
  """A direction mostly on the camera's side."""
  turn, up = rng.uniform(-front, front), rng.uniform(lowest, highest)
  return np.array(
    [np.sin(turn) * np.cos(up), np.sin(up), np.cos(turn) * np.cos(up)]
  )


def _tint(rng, warmth, spread=0.06):
  colour = np.array([1 + 0.11 * warmth, 1.0, 1 - 0.14 * warmth])
  return colour * np.exp(spread * rng.normal(size=3))


def _sphere(rng, way, top, side, bottom):
  """A gradient from below to above, with uneven walls: [H, W, 3]."""
  y = way[..., 1:2]
  up = np.clip(y * 2.5, 0, 1)
  down = np.clip(-y * 2.5, 0, 1)
  base = side * (1 - up - down) + top * up + bottom * down
  for _ in range(5):
    towards = rng.normal(size=3) * [1, 0.4, 1]
    patch = _patch(way, towards, rng.uniform(0.3, 0.9), 0.3)
    base = base * (1 + rng.uniform(-0.5, 0.7) * patch)
  return base


def _indoors(rng, way, kind, lamps, strength, tints, softness):
  """A room's panorama and softness; sets lamps, strengths and tints."""
  wall = _tint(rng, 0.4, 0.06) * rng.uniform(0.35, 0.7)
  ceiling, floor = 1.2 * wall + 0.1, wall * rng.uniform(0.25, 0.6)
  panorama = _sphere(rng, way, ceiling, wall, floor)
  if kind == 'window':
    towards = _towards(rng, 0.0, 0.3, 1.7)
    day = np.array([0.9, 1.0, 1.15]) * rng.uniform(4, 9)
    panorama = panorama + day * _patch(way, towards, rng.uniform(0.3, 0.5))
    lamps[0], strength[0] = towards, rng.uniform(0.2, 0.9)
    tints[0], softness = np.array([0.95, 1, 1.08]), 0.15
  elif kind == 'office':
    for _ in range(4):
      above = rng.normal(size=3) * [1, 0, 1] + [0, 1.6, 0.4]
      panorama = panorama + 5 * _tint(rng, 0) * _patch(way, above, 0.2)
    strength[0] = rng.uniform(0, 0.4)
  elif kind == 'studio':
    for side in (-1, 1):
      towards = np.array([side * rng.uniform(0.4, 1.2), 0.5, 0.8])
      box = rng.uniform(2, 7) * np.ones(3)
      panorama = panorama + box * _patch(way, towards, rng.uniform(0.25, 0.5))
    strength[1] = rng.uniform(0, 0.5)
    lamps[1] = _towards(rng, 0.2, 0.8, 3.1)
  else:
    for _ in range(rng.integers(1, 4)):
      towards = _towards(rng, 0.3, 1.3, 3.1)
      glow = 6 * _tint(rng, rng.uniform(0, 1))
      panorama = panorama + glow * _patch(way, towards, rng.uniform(0.12, 0.3))
    strength[1] = rng.uniform(0, 0.4)
  return panorama, softness


def sample_light(seed) -> Light:
  """Samples the light of a clip.

  Args:
    seed: whole numbers, as of numpy.random.default_rng.

  Returns:
    The Light; its scale is arbitrary, for the camera exposes for the face.
  """
  rng = np.random.default_rng(seed)
  way, _ = directions()
  kind = rng.choice(KINDS, p=[0.24, 0.2, 0.12, 0.14, 0.12, 0.06, 0.12])
  warm = rng.uniform(-0.3, 1.0)
  lamps = [_towards(rng) for _ in range(3)]
  strength = np.array([rng.uniform(0.5, 1.6), 0.0, 0.0])
  tints = [_tint(rng, warm), _tint(rng, rng.uniform(-0.8, 1)), np.ones(3)]
  softness = rng.uniform(0.02, 0.12)
  if kind == 'outdoor':
    sky = np.array([0.55, 0.8, 1.2]) * rng.uniform(0.6, 1.2)
    ground = np.array([0.28, 0.27, 0.2]) * rng.uniform(0.5, 1.5)
    panorama = _sphere(rng, way, sky, 0.8 * sky + 0.2, ground)
    lamps[0] = _towards(rng, 0.4, 1.2, 2.6)
    strength[0] = rng.uniform(0.6, 2.2)
    tints[0] = _tint(rng, 0.35)
    softness = rng.uniform(0.01, 0.04)
  elif kind == 'overcast':
    sky = np.array([0.9, 0.97, 1.08])
    panorama = _sphere(rng, way, 1.3 * sky, 0.9 * sky, 0.3 * np.ones(3))
    strength[0] = rng.uniform(0, 0.35)
  elif kind == 'night':
    panorama = _sphere(
      rng, way, 0.03 * np.ones(3), 0.09 * _tint(rng, 0.5), 0.04 * np.ones(3)
    )
    for _ in range(6):
      glow = rng.uniform(0.5, 3.0) * _tint(rng, rng.uniform(-0.7, 1.0), 0.1)
      panorama = panorama + glow * _patch(way, rng.normal(size=3), 0.15)
    strength[0] = rng.uniform(0.3, 1.0)
    strength[1] = rng.uniform(0, 0.6)
  else:
    panorama, softness = _indoors(
      rng, way, kind, lamps, strength, tints, softness
    )
  colours = strength[:, None] * np.stack(tints)
  # A camera's white balance removes most of the colour of all light together.
  total = panorama.mean((0, 1)) + colours.sum(0) / np.pi
  balance = (total / total.mean()) ** 0.8
  panorama, colours = panorama / balance, colours / balance
  # Lamps that shine come first; the first casts shadows.
  order = np.argsort(strength <= 0, kind='stable')
  lamps, colours = [lamps[i] for i in order], colours[order]
  return Light(
    panorama.astype(np.float32),
    np.stack(lamps).astype(np.float32),
    colours.astype(np.float32),
    float(softness),
  )
