"""Blurred backgrounds: plain walls, rooms, streets, lights."""

import cv2
import numpy as np

_SIDE = 192  # pixels; a background is painted small and enlarged


def _colour(rng, low=0.05, high=0.85, saturation=0.22):
  grey = rng.uniform(low, high)
  return np.clip(grey * np.exp(saturation * rng.normal(size=3)), 0, 1)


def _muted(rng, low=0.1, high=0.85):
  return _colour(rng, low, high, 0.12)


def _gradient(rng, first, second):
  turn = rng.uniform(0, 2 * np.pi)
  y, x = np.mgrid[:_SIDE, :_SIDE] / (_SIDE - 1) - 0.5
  t = np.clip(0.5 + (x * np.cos(turn) + y * np.sin(turn)), 0, 1)[..., None]
  return first + (second - first) * t


def _clouds(rng, scale, octaves=3):
  """Smooth noise of mean 0: [_SIDE, _SIDE, 1]."""
  made = np.zeros((_SIDE, _SIDE), np.float32)
  for octave in range(octaves):
    size = max(2, int(scale * 2**octave))
    grid = rng.standard_normal((size, size)).astype(np.float32)
    grid = cv2.resize(grid, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC)
    made += grid / 2**octave
  return made[..., None]


def _box(image, rng, x, y, w, h, colour):
  """A shaded rectangle; x, y, w, h in parts of the side."""
  x0, y0 = int(x * _SIDE), int(y * _SIDE)
  x1, y1 = int((x + w) * _SIDE), int((y + h) * _SIDE)
  x0, y0 = max(x0, 0), max(y0, 0)
  if x1 > x0 and y1 > y0:
    shade = np.linspace(1, rng.uniform(0.6, 1.1), x1 - x0)[None, :, None]
    part = image[y0:y1, x0:x1]
    part[:] = (colour * shade)[:, : part.shape[1]]


def _wall(rng):
  first = _muted(rng)
  image = _gradient(rng, first, first * rng.uniform(0.5, 1.0))
  return image * (1 + rng.uniform(0, 0.05) * _clouds(rng, 3))


def _shelf(image, rng):
  """Books on shelves."""
  left, width = rng.uniform(-0.3, 0.7), rng.uniform(0.4, 1.3)
  _box(image, rng, left, -0.1, width, 1.3, _muted(rng, 0.05, 0.4))
  pitch = rng.uniform(0.16, 0.3)
  for row in np.arange(rng.uniform(-0.1, 0.0), 1.0, pitch):
    x = left + 0.02
    while x < left + width - 0.02:
      wide = rng.uniform(0.015, 0.06)
      if rng.random() < 0.85:
        high = pitch * rng.uniform(0.55, 0.88)
        _box(
          image,
          rng,
          x,
          row + pitch - high - 0.02,
          wide * 0.92,
          high,
          _colour(rng),
        )
      x += wide


def _window(image, rng):
  left, top = rng.uniform(-0.3, 0.8), rng.uniform(-0.2, 0.3)
  width, height = rng.uniform(0.25, 0.7), rng.uniform(0.4, 0.8)
  frame = _muted(rng, 0.4, 0.95)
  _box(image, rng, left, top, width, height, frame)
  day = np.clip(np.array([0.8, 0.9, 1.0]) * rng.uniform(0.5, 1.3), 0, 1)
  columns = rng.integers(1, 4)
  for c in range(columns):
    _box(
      image,
      rng,
      left + 0.02 + c * width / columns,
      top + 0.02,
      width / columns - 0.03,
      height - 0.04,
      day,
    )
  if rng.random() < 0.5:  # curtains
    cloth = _colour(rng, 0.2, 0.9, 0.2)
    for x in np.arange(left - 0.1, left + 0.06, 0.02):
      _box(image, rng, x, -0.1, 0.02, 1.2, cloth * rng.uniform(0.7, 1.05))


def _things(image, rng):
  """Frames on a wall, furniture, a door."""
  for _ in range(rng.integers(1, 7)):
    x, y = rng.uniform(-0.1, 0.9, 2)
    w, h = rng.uniform(0.06, 0.4, 2)
    _box(image, rng, x, y, w, h, _colour(rng))
    if rng.random() < 0.6:
      _box(image, rng, x + 0.1 * w, y + 0.1 * h, 0.8 * w, 0.8 * h, _colour(rng))
  if rng.random() < 0.4:
    _box(
      image,
      rng,
      rng.uniform(-0.2, 0.9),
      0.0,
      rng.uniform(0.2, 0.4),
      1.1,
      _muted(rng, 0.1, 0.7),
    )
  if rng.random() < 0.6:
    _box(
      image, rng, -0.1, rng.uniform(0.6, 0.9), 1.3, 0.6, _muted(rng, 0.05, 0.5)
    )


def _leaves(image, rng):
  """A plant, or trees."""
  cx, cy = rng.uniform(0, 1, 2) * _SIDE
  spread = rng.uniform(0.1, 0.5) * _SIDE
  green = np.array([0.18, 0.32, 0.1]) * rng.uniform(0.5, 2.0)
  for _ in range(rng.integers(40, 160)):
    centre = rng.normal([cx, cy], spread, 2)
    axes = rng.uniform(1.5, 9.0, 2)
    colour = np.clip(green * np.exp(0.3 * rng.normal(size=3)), 0, 1)
    cv2.ellipse(
      image,
      centre.astype(int).tolist(),
      axes.astype(int).tolist(),
      float(rng.uniform(0, 180)),
      0,
      360,
      colour.tolist(),
      -1,
    )


def _street(rng):
  sky = np.array([0.62, 0.76, 0.95]) * rng.uniform(0.7, 1.1)
  image = _gradient(rng, sky, np.minimum(1.15 * sky, 1))
  image = image + 0.08 * np.clip(_clouds(rng, 3), 0, 2)
  x = -0.1
  while x < 1:
    wide, top = rng.uniform(0.1, 0.4), rng.uniform(0.0, 0.6)
    brick = _muted(rng, 0.15, 0.7)
    _box(image, rng, x, top, wide, 1.2, brick)
    for wx in np.arange(x + 0.02, x + wide - 0.04, 0.07):
      for wy in np.arange(top + 0.03, 1.0, 0.09):
        _box(image, rng, wx, wy, 0.035, 0.05, brick * rng.uniform(0.2, 1.4))
    x += wide
  if rng.random() < 0.6:
    _leaves(image, rng)
  return image


def _lights(rng):
  """A dark place with lights out of focus."""
  image = _wall(rng) * rng.uniform(0.1, 0.35)
  size = rng.uniform(3, 12)
  for _ in range(rng.integers(8, 40)):
    centre = (rng.uniform(0, 1, 2) * _SIDE).astype(int).tolist()
    disc = np.zeros_like(image)
    glow = _colour(rng, 0.3, 1.0, 0.5)
    cv2.circle(
      disc, centre, max(2, int(size * rng.uniform(0.8, 1.2))), glow.tolist(), -1
    )
    image = np.minimum(image + 0.7 * disc, 1)
  return image


def make_background(seed, side: int, light) -> np.ndarray:
  """Paints a background.

  Args:
    seed: whole numbers, as of numpy.random.default_rng.
    side: pixels.
    light: the clip's Light; its mean colour tints the walls.

  Returns:
    uint8 [side, side, 3].
  """
  rng = np.random.default_rng(seed)
  kind = rng.choice(
    ['wall', 'room', 'street', 'lights', 'nature'],
    p=[0.3, 0.42, 0.13, 0.06, 0.09],
  )
  if kind == 'street':
    image = _street(rng)
  elif kind == 'lights':
    image = _lights(rng)
  elif kind == 'nature':
    image = np.clip(_gradient(rng, _colour(rng), _colour(rng)), 0, 1)
    for _ in range(4):
      _leaves(image, rng)
  else:
    image = np.ascontiguousarray(_wall(rng))
    if kind == 'room':
      for draw in (_window, _things, _shelf, _leaves):
        if rng.random() < 0.5:
          draw(image, rng)
  tint = light.panorama.mean((0, 1))
  tint = np.clip(tint / tint.mean(), 0.7, 1.4) ** 0.5
  fall = 1 - rng.uniform(0, 0.25) * (
    np.mgrid[:_SIDE, :_SIDE][0][..., None] / _SIDE
  )
  image = np.clip(image * tint * fall, 0, 1).astype(np.float32)
  image = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
  focus = rng.choice([0.002, 0.012, 0.03, 0.06], p=[0.2, 0.35, 0.3, 0.15])
  image = cv2.GaussianBlur(image, (0, 0), max(focus * side, 0.4))
  image = image + rng.uniform(0, 0.012) * rng.standard_normal((side, side, 1))
  return (np.clip(image, 0, 1) * 255).astype(np.uint8)
