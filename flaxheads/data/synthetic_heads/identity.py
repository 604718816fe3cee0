"""The identity of a synthetic head: shape, skin, hair, clothes, backdrop.

No real person is behind these numbers: each factor is sampled by itself from a
range that roughly follows adult anthropometry. Lengths are centimetres.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from flaxheads.data.synthetic_heads import tables


class Identity(NamedTuple):
  """One person. Float32 scalars unless a shape is given; colours linear RGB.

  Shape factors without a unit are ratios, 1 being the average adult.
  """

  head_width: jax.Array
  head_height: jax.Array
  face_length: jax.Array
  face_width: jax.Array
  jaw_width: jax.Array
  chin_width: jax.Array
  chin_forward: jax.Array  # cm
  cheekbone: jax.Array  # cm
  brow_ridge: jax.Array  # cm
  eye_size: jax.Array
  eye_open: jax.Array
  eye_spacing: jax.Array  # cm
  eye_tilt: jax.Array  # cm, the outer corner above the inner one
  lid_fold: jax.Array  # 0: none, 1: deep crease above the lid
  nose_length: jax.Array  # cm
  nose_width: jax.Array
  nose_forward: jax.Array  # cm
  nose_bump: jax.Array  # cm, the bridge's hump
  nose_turn: jax.Array  # cm, the tip turned up
  mouth_width: jax.Array
  mouth_drop: jax.Array  # cm, the mouth's distance below the average
  upper_lip: jax.Array
  lower_lip: jax.Array
  neck_width: jax.Array
  ear_size: jax.Array
  ear_angle: jax.Array  # radians away from the skull
  brow_height: jax.Array  # cm
  brow_thickness: jax.Array  # cm
  brow_arch: jax.Array  # cm
  brow_density: jax.Array  # 0 to 1
  skin: jax.Array  # [3]
  skin_redness: jax.Array  # 0 to 1
  freckles: jax.Array  # 0 to 1
  age: jax.Array  # 0: smooth, 1: deep lines
  iris: jax.Array  # [3]
  lip: jax.Array  # [3]
  hair: jax.Array  # [3]
  hair_cover: jax.Array  # 0: bald, 1: covered
  hair_top: jax.Array  # cm of volume above the skull
  hair_side: jax.Array  # cm of volume beside the skull
  hairline: jax.Array  # cm above the eyes
  hair_slope: jax.Array  # the hairline's slope from forehead to nape
  hair_temple: jax.Array  # cm of receding at the temples
  hair_sweep: jax.Array  # the fringe's slant
  hair_part: jax.Array  # cm, where the parting lies
  hair_length: jax.Array  # cm below the eyes; under 3 means no long hair
  hair_curl: jax.Array  # 0: straight, 1: curly
  hair_bun: jax.Array  # 0 or 1
  beard: jax.Array  # 0: shaven, 1: full
  moustache: jax.Array  # 0 to 1
  glasses: jax.Array  # 0 or 1
  glasses_size: jax.Array
  glasses_round: jax.Array  # 0: rectangular, 1: round
  glasses_colour: jax.Array  # [3]
  cloth: jax.Array  # [2, 3]
  cloth_pattern: jax.Array  # [4] weights: stripes, checks, knit, dots
  collar_height: jax.Array  # cm
  collar_width: jax.Array  # cm
  backdrop: jax.Array  # [3, 3]
  backdrop_style: jax.Array  # [5] weights: plain, window, lights, slats, scene
  texture: jax.Array  # [3], where in the noise fields this person lies


def _blend_row(key, table, position):
  """Colour at a fractional row of `table`, with a little variation: [3]."""
  table = jnp.asarray(table, jnp.float32)
  low = jnp.clip(jnp.floor(position), 0, len(table) - 2).astype(jnp.int32)
  part = position - low
  colour = table[low] * (1 - part) + table[low + 1] * part
  return colour * jnp.exp(0.05 * jax.random.normal(key, (3,)))


def _choose(key, odds, num=None):
  """One-hot or index sampled by `odds`."""
  odds = jnp.asarray(odds, jnp.float32)
  index = jax.random.choice(key, len(odds), p=odds / odds.sum())
  return index if num is None else jax.nn.one_hot(index, num)


def _colour(key, saturation=1.0):
  """A random linear RGB colour: [3]."""
  k_hue, k_value, k_saturation = jax.random.split(key, 3)
  hue = jax.random.uniform(k_hue)
  phase = (hue + jnp.array([0.0, 1 / 3, 2 / 3])) % 1.0
  pure = jnp.clip(jnp.abs(phase * 6 - 3) - 1, 0, 1)
  s = saturation * jax.random.uniform(k_saturation, minval=0.1, maxval=0.8)
  value = jax.random.uniform(k_value, minval=0.03, maxval=0.6)
  return value * (1 - s + s * pure)


def _hair_factors(key, masculine, melanin):
  k = jax.random.split(key, 8)
  style = jnp.asarray(tables.STYLES, jnp.float32)
  odds = jnp.where(masculine, style[:, 9], style[:, 10])
  row = style[_choose(k[0], odds)]
  vary = jax.random.uniform(k[1], (3,), minval=-1, maxval=1)
  # Light hair goes with light skin.
  light = jnp.array([0, 0, 0, 0, 1, 1, 1, 0, 0])
  fair = jnp.where(melanin < 1.6, 1.0, 0.04)
  colour_row = _choose(
    k[2], jnp.asarray(tables.HAIR_ODDS) * (1 - light + 2 * light * fair)
  )
  colour = jnp.asarray(tables.HAIR, jnp.float32)[colour_row]
  vary_colour = jax.random.normal(k[3], (4,))
  colour = colour * jnp.exp(0.04 * vary_colour[:3] + 0.2 * vary_colour[3])
  bearded = masculine & jax.random.bernoulli(k[4], 0.5)
  beard = jax.random.uniform(k[5], minval=0.15, maxval=1.0) * bearded
  moustache = jnp.where(jax.random.bernoulli(k[6], 0.75), beard, beard * 0.2)
  return {
    'hair': colour,
    'hair_cover': row[0],
    'hair_top': row[1] * (1 + 0.25 * vary[0]),
    'hair_side': row[2] * (1 + 0.25 * vary[0]),
    'hairline': row[3] + 0.35 * vary[1],
    'hair_slope': row[4],
    'hair_temple': row[5],
    'hair_sweep': 0.12 * vary[2],
    'hair_length': row[6] * (1 + 0.15 * vary[1]),
    'hair_curl': row[7],
    'hair_bun': row[8],
    'beard': beard,
    'moustache': moustache,
  }


def _skin_factors(key, hair, masculine, melanin):
  k = jax.random.split(key, 8)
  skin = _blend_row(k[1], tables.SKIN, melanin)
  # Light eyes go with light skin more often than not.
  lightness = jax.random.uniform(k[2], maxval=jnp.where(melanin < 1.6, 5, 1.5))
  pale = jnp.clip(1 - melanin / 2.5, 0, 1)
  made_up = ~masculine & jax.random.bernoulli(k[3], 0.45)
  natural = skin * jnp.array([0.88, 0.50, 0.52])
  painted = jnp.array([0.42, 0.035, 0.05]) * jax.random.uniform(
    k[4], (3,), minval=0.5, maxval=1.3
  )
  age = jax.random.uniform(k[5]) ** 1.7
  grey = jnp.clip(hair.mean() * 2 - 0.3, 0, 0.5)
  return {
    'skin': skin,
    'iris': _blend_row(k[6], tables.IRIS, lightness),
    'lip': jnp.where(made_up, 0.6 * painted + 0.4 * natural, natural),
    'freckles': pale * jax.random.uniform(k[7]) ** 2,
    'age': jnp.clip(age + grey * (hair[0] - hair[2] < 0.1), 0, 1),
  }


def sample_identity(key: jax.Array) -> Identity:
  """Draws a person.

  Args:
    key: a JAX random key.

  Returns:
    An Identity; the same key gives the same person.
  """
  k = iter(jax.random.split(key, 16))
  names = tuple(tables.RANGES)
  low, high = jnp.asarray([tables.RANGES[n] for n in names], jnp.float32).T
  # The mean of two even draws: extreme faces are rarer than average ones.
  even = jax.random.uniform(next(k), (2, len(names))).mean(0)
  factors = dict(zip(names, low + (high - low) * even, strict=True))
  build = jax.random.uniform(next(k), minval=-1, maxval=1)
  for name, lean in tables.BUILD.items():
    factors[name] = factors[name] + lean * build
  masculine = build > 0
  melanin = 4.7 * jax.random.uniform(next(k)) ** 1.15
  factors.update(_hair_factors(next(k), masculine, melanin))
  factors.update(_skin_factors(next(k), factors['hair'], masculine, melanin))
  factors['glasses'] = jax.random.bernoulli(next(k), 0.22).astype(jnp.float32)
  factors['glasses_round'] = jax.random.uniform(next(k))
  dark = jax.random.bernoulli(next(k), 0.6)
  frame = _colour(next(k))
  factors['glasses_colour'] = jnp.where(dark, 0.015, frame)
  cloth_keys = jax.random.split(next(k), 2)
  factors['cloth'] = jax.vmap(_colour)(cloth_keys)
  factors['cloth_pattern'] = _choose(next(k), (3, 2, 3, 1, 4), 5)[:4]
  factors['collar_height'] = jax.random.uniform(next(k), minval=0, maxval=3)
  factors['collar_width'] = jax.random.uniform(next(k), minval=0.5, maxval=1.3)
  backdrop_keys = jax.random.split(next(k), 3)
  factors['backdrop'] = jax.vmap(lambda key: _colour(key, 0.7))(backdrop_keys)
  factors['backdrop_style'] = _choose(next(k), (3, 2, 2, 1.5, 2), 5)
  factors['texture'] = jax.random.uniform(next(k), (3,), maxval=50.0)
  return Identity(**factors)
