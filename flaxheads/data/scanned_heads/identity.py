"""The identity of a scanned head, sampled from integer seeds."""

import dataclasses
import re

import numpy as np

# Sliders of these names move less, in standard deviations of the others.
_CALM = (
  (r'ears/.*shape', 0.15),
  (r'neck/|head/head-trans|head/head-angle', 0.3),
  (r'head/head-(diamond|inv|oval|rect|round|square|tri)', 0.5),
  (r'head/head-age|forehead/forehead-nubian', 0.4),
  (r'mouth/mouth-trans|eyes/eye-(trans|push)|nose/nose-trans', 0.5),
  (r'(eyes/eye-height|nose/nose-septum|chin/chin-jaw-drop)', 0.6),
  (r'mouth/mouth-(dimples|angles)|eyes/eye-(corner|bag|scale)', 0.6),
  (r'eyebrows/', 0.6),
)
_SPREAD = 0.38  # standard deviation of a slider; 1 is the sculptor's extreme
HAIR_COLOURS = {  # linear RGB
  'black': (0.012, 0.010, 0.009),
  'dark brown': (0.030, 0.018, 0.011),
  'brown': (0.075, 0.042, 0.022),
  'light brown': (0.16, 0.095, 0.05),
  'blond': (0.36, 0.24, 0.12),
  'red': (0.22, 0.065, 0.022),
  'grey': (0.22, 0.21, 0.20),
  'white': (0.52, 0.51, 0.49),
}
# Albedo of a face from little melanin to much, linear RGB.
_TONES = (
  (0.62, 0.43, 0.34),
  (0.52, 0.325, 0.235),
  (0.40, 0.235, 0.155),
  (0.25, 0.135, 0.083),
  (0.14, 0.072, 0.045),
  (0.075, 0.040, 0.027),
)
_LONG = ('bob02', 'long01', 'ponytail01', 'braid01')
_SHORT = ('short01', 'short02', 'short03', 'short04')
# bob02 and short03 cover an eye.
_LONG_ODDS = (0.16, 0.32, 0.3, 0.22)
_SHORT_ODDS = (0.34, 0.28, 0.1, 0.28)
_EYES = ('blue', 'bluegreen', 'brownlight', 'deepblue', 'green', 'grey', 'ice')


@dataclasses.dataclass(frozen=True)
class Person:
  """One person. Colours are linear RGB; other numbers 0 to 1 unless noted.

  Attributes:
    race: weights of makehuman.RACES.
    masculine: 0: female, 1: male.
    age: 0: 25 years, 1: 90.
    muscle: -1 to 1.
    weight: -1 to 1.
    sliders: standard deviations by slider; see makehuman.sliders.
    asymmetry: seed of what differs between left and right.
    skin: stem of the texture of the skin.
    tone: [3] the skin's albedo.
    freckles: density.
    shine: of the skin.
    hair: name of the hair mesh; '' none.
    cropped: length of hair drawn as short fur, cm; 0 none.
    hair_colour: [3].
    brows: number of the brow mesh, 1 to 12.
    brow_strength: 0.5 to 1.
    lashes: number of the lash mesh, 1 to 4.
    iris: name of the eye texture.
    iris_colour: [3] factors.
    teeth: number of the teeth mesh, 0: base.
    tooth_colour: [3] factors.
    teeth_shown: cm of the upper incisors below the upper lip at rest.
    beard: (stubble, beard length in cm, moustache, cheeks) or zeros.
    lip_colour: [3] factors; make-up.
    glasses: (0 or 1, roundness, width, height, darkness of the rim).
    glasses_colour: [3].
    cloth: (style, neckline in cm, pattern, scale).
    cloth_colours: [3, 3].
  """

  race: np.ndarray
  masculine: float
  age: float
  muscle: float
  weight: float
  sliders: dict
  asymmetry: int
  skin: str
  tone: np.ndarray
  freckles: float
  shine: float
  hair: str
  cropped: float
  hair_colour: np.ndarray
  brows: int
  brow_strength: float
  lashes: int
  iris: str
  iris_colour: np.ndarray
  teeth: int
  tooth_colour: np.ndarray
  teeth_shown: float
  beard: tuple
  lip_colour: np.ndarray
  glasses: tuple
  glasses_colour: np.ndarray
  cloth: tuple
  cloth_colours: np.ndarray


def _spread(name):
  for pattern, factor in _CALM:
    if re.match(pattern, name):
      return _SPREAD * factor
  return _SPREAD


def _sample_skin(rng, race, masculine, age):
  african, asian, _ = race
  shade = 'dark' if african > 0.5 else 'light'
  years = 'old' if age > 0.6 else 'middleage' if age > 0.25 else 'young'
  sex = 'male' if masculine > 0.5 else 'female'
  known = {
    'dark-female': {'young': 'middleage', 'middleage': '', 'old': ''},
    'dark-male': {'young': '', 'middleage': '', 'old': ''},
    'light-female': {'young': '23', 'middleage': '2', 'old': 'middleage2'},
    'light-male': {'young': '023', 'middleage': '02', 'old': '2'},
  }[f'{shade}-{sex}'][years]
  if known.startswith('middleage'):
    years, known = 'middleage', known[9:]
  number = str(rng.choice(list(known))) if known else ''
  number = '' if number == '0' else number
  skin = f'{years}_{shade}skinned_{sex}_diffuse{number}'
  melanin = {
    'dark': rng.uniform(0.55, 1.0),
    'light': np.clip(
      rng.beta(1.3, 3.0) * 0.6 + 0.12 * asian + 0.3 * african, 0, 0.62
    ),
  }[shade]
  tone = np.array(
    [
      np.interp(melanin, np.linspace(0, 1, len(_TONES)), channel)
      for channel in np.array(_TONES).T
    ]
  )
  flush = 0.04 * rng.normal()
  tone = tone * np.array([1 + flush, 1.0, 1 + 0.5 * flush])
  tone = tone * np.exp(0.04 * rng.normal())
  return skin, tone, shade


def _sample_hair(rng, race, masculine, age):
  pale = race[2] > 0.5 >= race[0]
  names = ['black', 'dark brown', 'brown', 'light brown', 'blond', 'red']
  odds = [2, 3, 3, 2, 2, 0.7] if pale else [6, 3, 0.6, 0.1, 0.1, 0.05]
  colour = np.array(
    HAIR_COLOURS[rng.choice(names, p=np.array(odds) / np.sum(odds))]
  )
  grey = np.clip((age - 0.3) * 2.2 + 0.25 * rng.normal(), 0, 1)
  if age < 0.2:
    grey = 0.0
  white = np.array(HAIR_COLOURS['white' if age > 0.6 else 'grey'])
  colour = colour * (1 - grey) + white * grey
  colour = (
    colour * np.exp(0.15 * rng.normal()) * np.exp(0.06 * rng.normal(size=3))
  )
  cropped = 0.0
  if masculine > 0.5:
    kind = rng.choice(
      ['short', 'cropped', 'bald', 'long'], p=[0.6, 0.26, 0.06, 0.08]
    )
  else:
    kind = rng.choice(['long', 'short', 'cropped'], p=[0.8, 0.17, 0.03])
  if race[0] > 0.5 and rng.random() < (0.6 if masculine > 0.5 else 0.15):
    kind = 'cropped'
  if kind == 'cropped':
    high = 2.6 if race[0] > 0.5 else 0.8
    return '', float(rng.uniform(0.25, high)), colour
  if kind == 'bald':
    return '', 0.0, colour
  names, odds = (_LONG, _LONG_ODDS) if kind == 'long' else (_SHORT, _SHORT_ODDS)
  return str(rng.choice(names, p=odds)), cropped, colour


def _sample_beard(rng, masculine):
  """(stubble, length cm, moustache, cheeks)."""
  if masculine < 0.5:
    return (0.0, 0.0, 0.0, 0.0)
  kind = rng.random()
  if kind < 0.38:
    return (float(rng.uniform(0, 0.25)), 0.0, 0.0, 0.0)
  if kind < 0.68:
    return (float(rng.uniform(0.3, 0.9)), 0.0, 1.0, 1.0)
  goatee = float(rng.random() < 0.3)
  return (
    0.8,
    float(rng.uniform(0.25, 1.1)),
    float(rng.random() < 0.85),
    1 - goatee,
  )


def _colour(rng, saturation=0.6):
  value = rng.uniform(0.02, 0.75) ** 1.3
  colour = np.abs(rng.normal(1, saturation * 0.5, 3)) + 0.12
  return value * colour / colour.max()


def _sample_glasses(rng):
  return (
    float(rng.random() < 0.1),
    float(rng.random()),
    float(rng.uniform(0.92, 1.1)),
    float(rng.uniform(0.8, 1.15)),
    float(rng.uniform(0.1, 0.24)),
  )


def sample_person(seed: int, index: int, slider_names) -> Person:
  """Samples a person.

  Args:
    seed: of the dataset.
    index: of the person; the result depends on seed and index alone.
    slider_names: see makehuman.sliders.

  Returns:
    The Person.
  """
  rng = np.random.default_rng([seed, index, 0])
  race = rng.dirichlet([0.35, 0.35, 0.6])
  masculine = float(rng.random() < 0.5)
  masculine = abs(masculine - min(abs(rng.normal(0, 0.12)), 0.4))
  age = float(np.clip(rng.beta(1.0, 2.6), 0, 0.85))
  sliders = {
    name: float(np.clip(rng.normal() * _spread(name), -1, 1))
    for name in slider_names
  }
  skin, tone, shade = _sample_skin(rng, race, masculine, age)
  hair, cropped, hair_colour = _sample_hair(rng, race, masculine, age)
  dark_eyed = shade == 'dark' or race[2] < 0.5 or rng.random() < 0.45
  iris = 'brownlight' if dark_eyed else str(rng.choice(_EYES))
  iris_colour = (
    np.array([1.0, 0.85, 0.75]) * rng.uniform(0.18, 0.9)
    if dark_eyed
    else np.ones(3) * rng.uniform(0.6, 1.2)
  )
  made_up = masculine < 0.5 and rng.random() < 0.45
  lips = np.array([1.0, 0.72, 0.78]) if made_up else np.ones(3)
  return Person(
    race=race,
    masculine=masculine,
    age=age,
    muscle=float(np.clip(rng.normal(0, 0.35), -0.8, 0.9)),
    weight=float(np.clip(rng.normal(0.05, 0.4), -0.8, 0.95)),
    sliders=sliders,
    asymmetry=int(rng.integers(1 << 31)),
    skin=skin,
    tone=tone,
    freckles=float(shade == 'light') * float(rng.random() ** 3),
    shine=float(rng.uniform(0.5, 1.4)),
    hair=hair,
    cropped=cropped,
    hair_colour=hair_colour,
    brows=int(rng.integers(1, 13)),
    brow_strength=float(rng.uniform(0.7, 1.0)),
    lashes=int(rng.integers(1, 5)),
    iris=iris,
    iris_colour=iris_colour,
    teeth=int(rng.integers(0, 6)),
    tooth_colour=np.array([1, rng.uniform(0.9, 0.98), rng.uniform(0.72, 0.93)])
    * rng.uniform(0.85, 1.0),
    beard=_sample_beard(rng, masculine),
    lip_colour=lips ** rng.uniform(0.5, 1.6),
    glasses=_sample_glasses(rng),
    glasses_colour=np.full(3, 0.02) if rng.random() < 0.6 else _colour(rng),
    cloth=(
      str(rng.choice(['round', 'vee', 'shirt', 'high', 'jacket'])),
      float(rng.uniform(-1.0, 2.5)),
      int(rng.integers(0, 4)),
      float(rng.uniform(0.5, 2.5)),
    ),
    cloth_colours=np.stack([_colour(rng) for _ in range(3)]),
    teeth_shown=float(rng.uniform(0.0, 0.3)),
  )
