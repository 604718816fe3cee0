"""The motion of a scanned head: face units, gaze and pose over time."""

from typing import NamedTuple

import numpy as np

# Mouth shapes of speech, as weights of face units. A unit without a side
# stands for both halves of the face.
VISEMES = {
  'aa': {'jawOpen': 0.45, 'mouthLowerDown': 0.3, 'mouthUpperUp': 0.3},
  'ah': {'jawOpen': 0.3, 'mouthLowerDown': 0.3, 'mouthUpperUp': 0.25},
  'eh': {
    'jawOpen': 0.22,
    'mouthStretch': 0.25,
    'mouthSmile': 0.15,
    'mouthUpperUp': 0.35,
    'mouthLowerDown': 0.45,
  },
  'ee': {
    'jawOpen': 0.1,
    'mouthStretch': 0.3,
    'mouthSmile': 0.3,
    'mouthUpperUp': 0.4,
    'mouthLowerDown': 0.6,
  },
  'oh': {'jawOpen': 0.32, 'mouthFunnel': 0.5, 'mouthPucker': 0.15},
  'oo': {'jawOpen': 0.12, 'mouthPucker': 0.65, 'mouthFunnel': 0.3},
  'm': {'mouthPress': 0.4, 'mouthRollLower': 0.25, 'mouthRollUpper': 0.2},
  'f': {'jawOpen': 0.1, 'mouthRollLower': 0.55, 'mouthUpperUp': 0.25},
  'l': {'jawOpen': 0.2, 'mouthLowerDown': 0.25, 'mouthUpperUp': 0.12},
  'sh': {'jawOpen': 0.1, 'mouthFunnel': 0.45, 'mouthLowerDown': 0.3},
  's': {
    'jawOpen': 0.06,
    'mouthStretch': 0.2,
    'mouthLowerDown': 0.5,
    'mouthUpperUp': 0.3,
  },
}
# Expressions that a face holds for a second or more.
EXPRESSIONS = {
  'smile': {'mouthSmile': 0.55, 'cheekSquint': 0.4, 'mouthDimple': 0.2},
  'grin': {
    'mouthSmile': 0.8,
    'cheekSquint': 0.6,
    'jawOpen': 0.06,
    'mouthUpperUp': 0.8,
    'mouthLowerDown': 0.8,
    'eyeSquint': 0.3,
  },
  'laugh': {
    'mouthSmile': 0.85,
    'jawOpen': 0.25,
    'mouthUpperUp': 0.8,
    'mouthLowerDown': 0.5,
    'cheekSquint': 0.8,
    'eyeSquint': 0.5,
    'noseSneer': 0.15,
  },
  'frown': {
    'browDown': 0.8,
    'mouthFrown': 0.5,
    'eyeSquint': 0.3,
    'mouthPress': 0.2,
  },
  'surprise': {
    'browInnerUp': 0.8,
    'browOuterUp': 0.8,
    'eyeWide': 0.6,
    'jawOpen': 0.3,
  },
  'sad': {'browInnerUp': 0.7, 'mouthFrown': 0.6, 'mouthShrugLower': 0.3},
  'disgust': {
    'noseSneer': 0.7,
    'mouthUpperUp': 0.35,
    'browDown': 0.4,
    'eyeSquint': 0.3,
  },
  'brows': {'browInnerUp': 0.45, 'browOuterUp': 0.5},
  'pursed': {'mouthPucker': 0.55},
  'puffed': {'cheekPuff': 0.7, 'mouthPress': 0.3},
}
MAX_YAW, MAX_PITCH, MAX_ROLL = (np.radians(a) for a in (40.0, 25.0, 20.0))


class Motion(NamedTuple):
  """F frames of motion.

  Attributes:
    units: float32 [F, U] weights of the face units, 0 to 1.
    yaw, pitch, roll: float32 [F] radians; positive yaw turns the nose to the
      right of the image, positive pitch down, positive roll clockwise.
    shift: float32 [F, 3] cm, x to the right, y up, z towards the camera.
    gaze: float32 [F, 2] radians of the eyes in the head, right and up.
  """

  units: np.ndarray
  yaw: np.ndarray
  pitch: np.ndarray
  roll: np.ndarray
  shift: np.ndarray
  gaze: np.ndarray


def _columns(name, names):
  """Columns of a unit, or of its two halves."""
  halves = (name, f'{name}Left', f'{name}Right')
  return [names.index(half) for half in halves if half in names]


def _wave(rng, seconds, low_hz, high_hz, num=4):
  """A smooth random function of time within [-1, 1]: [F]."""
  hz = rng.uniform(low_hz, high_hz, num)
  phase = rng.uniform(0, 2 * np.pi, num)
  weight = rng.uniform(0.3, 1.0, num)
  waves = np.sin(2 * np.pi * hz * seconds[:, None] + phase)
  return (waves * weight).sum(-1) / weight.sum()


def _bump(x):
  return np.square(np.clip(1 - np.square(x), 0, 1))


def _shape(weights, names):
  row = np.zeros(len(names))
  for name, value in weights.items():
    row[_columns(name, names)] = value
  return row


def _speech(rng, seconds, names):
  """Units of speech [F, U]: visemes blended by dominance (Cohen, Massaro)."""
  shapes = np.stack([_shape(v, names) for v in VISEMES.values()])
  end = seconds[-1] + 1.0
  times = np.cumsum(rng.gamma(4.0, 0.032, size=int(end / 0.08) + 8)) - 0.5
  spoken = rng.integers(len(shapes), size=len(times))
  width = rng.uniform(0.045, 0.075)
  # Closed lips and teeth must be reached: they dominate their neighbours.
  firm = np.array([2.5 if n in ('m', 'f') else 1.0 for n in VISEMES])
  dominance = firm[spoken] * np.exp(
    -0.5 * np.square((seconds[:, None] - times) / width)
  )
  blend = dominance @ shapes[spoken] / (dominance.sum(-1, keepdims=True) + 0.05)
  loud = rng.uniform(0.6, 1.25)
  talking = np.clip(0.5 + 2.2 * _wave(rng, seconds, 0.08, 0.35), 0, 1)
  return blend * (loud * talking)[:, None]


def _expressions(rng, seconds, names):
  """Units of held expressions [F, U]."""
  made = np.zeros((len(seconds), len(names)))
  for name, weights in EXPRESSIONS.items():
    often = {'smile': 0.45, 'grin': 0.35, 'laugh': 0.45, 'brows': 0.3}
    level = _wave(rng, seconds, 0.08, 0.4) - often.get(name, 0.75)
    level = level + rng.choice([0.0, 0.5], p=[0.75, 0.25])
    row = _shape(weights, names)
    row = row * rng.uniform(0.85, 1.15, len(names))  # a crooked smile
    made += np.clip(level / 0.35, 0, 1)[:, None] * row
  return made


def _blinks(rng, seconds):
  """Lid closure [F]: quick down, slower up, every two to six seconds."""
  start, end = seconds[0] - 6, seconds[-1] + 1
  times = start + np.cumsum(
    rng.gamma(3.0, 1.2, size=int((end - start) / 2) + 9)
  )
  since = seconds[:, None] - times
  closing = _bump(np.minimum(since, 0) / 0.09) * (since <= 0)
  opening = _bump(np.maximum(since, 0) / 0.2) * (since > 0)
  return (closing + opening).max(-1)


def sample_motion(
  seed, num_frames: int, fps: float, names, moving_gaze: bool = False
) -> Motion:
  """Samples the motion of a clip.

  Args:
    seed: whole numbers, as of numpy.random.default_rng.
    num_frames: F.
    fps: frames a second.
    names: of the face units.
    moving_gaze: whether the eyes move within the clip; 68 points do not tell
      where they look, so that a network cannot learn it.

  Returns:
    The Motion.
  """
  rng = np.random.default_rng(seed)
  seconds = np.arange(num_frames) / fps
  expressions = _expressions(rng, seconds, names)
  speech = _speech(rng, seconds, names)
  strong = expressions.max(-1, keepdims=True).clip(0, 1)
  units = expressions + speech * (1 - 0.5 * strong)
  units[:, _columns('browOuterUp', names) + _columns('browInnerUp', names)] += (
    0.2 * np.clip(_wave(rng, seconds, 0.2, 0.9), 0, 1)
  )[:, None]
  gaze = rng.normal(0, [0.16, 0.07]).clip(-0.4, 0.4) + np.zeros((num_frames, 2))
  if moving_gaze:
    gaze[:, 0] += 0.3 * _wave(rng, seconds, 0.2, 0.8)
    gaze[:, 1] += 0.12 * _wave(rng, seconds, 0.2, 0.8)
  # The lids follow the eyes down.
  down = np.clip(-gaze[:, 1] / 0.5, 0, 1)
  lids = _columns('eyeBlink', names)
  wink = rng.uniform(0.92, 1.0, 2)
  blink = np.maximum(_blinks(rng, seconds), 0.35 * down)
  rest = np.clip(rng.normal(0.0, 0.06), -0.05, 0.2)
  closed = (rest + (1 - rest) * blink)[:, None] * wink
  # A squint and a blink together would push the lids through each other.
  squints = _columns('eyeSquint', names) + _columns('cheekSquint', names)
  units[:, squints] *= 1 - 0.7 * blink[:, None]
  units[:, lids] = closed
  # MakeHuman's neutral face looks stern; people at ease do not.
  for name, high in (
    ('browInnerUp', 0.35),
    ('browOuterUp', 0.2),
    ('eyeWide', 0.35),
    ('mouthSmile', 0.2),
  ):
    units[:, _columns(name, names)] += rng.uniform(0, high)
  units = np.clip(units, -0.05, 1)

  lively = rng.uniform(0.35, 1.3)

  def turn(spread, drift, limit):
    middle = np.clip(rng.normal(0, spread), -0.8 * limit, 0.8 * limit)
    angle = middle + lively * drift * _wave(rng, seconds, 0.06, 0.45)
    angle = angle + lively * 0.02 * _wave(rng, seconds, 0.8, 2.0)
    return limit * np.tanh(angle / limit)

  return Motion(
    units=units.astype(np.float32),
    yaw=turn(0.2, 0.42, MAX_YAW).astype(np.float32),
    pitch=turn(0.08, 0.2, MAX_PITCH).astype(np.float32),
    roll=turn(0.07, 0.16, MAX_ROLL).astype(np.float32),
    shift=np.stack(
      [lively * r * _wave(rng, seconds, 0.05, 0.4) for r in (1.2, 0.6, 1.5)], -1
    ).astype(np.float32),
    gaze=gaze.astype(np.float32),
  )
