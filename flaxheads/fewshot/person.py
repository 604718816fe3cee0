"""A person: a generator and psi', all that animation needs."""

import dataclasses
import functools

import jax
import numpy as np

from flaxheads import config as configs
from flaxheads import networks as nets
from flaxheads.config import ModelConfig
from flaxheads.data.pixels import to_float, to_uint8
from flaxheads.data.support import MAX_SIDE, Portrait
from flaxheads.errors import UserError
from flaxheads.fewshot import folders
from flaxheads.fewshot.model import Model
from flaxheads.landmarks.crop import CropBox
from flaxheads.landmarks.rasterise import rasterise_landmarks

KIND = 'person'
_BATCH = 16
_PIXELS_ON_CPU = 256 * 256  # of the frames drawn at once
_MAX_CROP = 8  # times the portrait; see data/face_clips.py


@dataclasses.dataclass(frozen=True)
class Person:
  """A person who can be animated.

  Attributes:
    config: sizes of the networks.
    generator: parameters of G without P, spectral normalisation folded in.
    adain_params: psi or psi', float32 [M].
    frame: uint8 [S, S, 3], the first of the pictures.
    support_points: float32 [T, 68, 2], the landmarks of all pictures, in
      pixels: what is known of the face's shape.
    info: how the person came to be: method, num_shots, model, losses.
    portrait: the whole picture of `frame`, to paste the moving head into.
  """

  config: ModelConfig
  generator: dict
  adain_params: np.ndarray
  frame: np.ndarray
  support_points: np.ndarray
  info: dict
  portrait: Portrait | None = None

  @property
  def points(self) -> np.ndarray:
    """float32 [68, 2], the landmarks of `frame`."""
    return self.support_points[0]


def without_projection(generator_params: dict) -> dict:
  """Parameters of G that a person keeps: psi' stands in for P e."""
  return {k: v for k, v in generator_params.items() if k != 'projection'}


@functools.lru_cache(maxsize=8)
def _embedder(networks: nets.Networks):
  @jax.jit
  def embed(params, frames, points):
    pictures = rasterise_landmarks(points, networks.embedder.image_size)
    embedding = nets.embed_people(
      networks, params['embedder'], to_float(frames)[None], pictures[None]
    )
    return embedding[0], nets.project(params['generator'], embedding)[0]

  return embed


def embed_person(model: Model, frames, points):
  """ê, the mean embedding of the T frames, and psi = P ê.

  Args:
    model: Model.
    frames: uint8 [T, S, S, 3].
    points: float32 [T, 68, 2] in pixels.

  Returns:
    float32 [N] and float32 [M].
  """
  check_frames(model.config, frames, points)
  return _embedder(model.networks)(
    model.normal, np.asarray(frames), np.asarray(points, np.float32)
  )


def check_frames(config: ModelConfig, frames, points) -> None:
  """Raises ValueError unless frames and points fit the model."""
  size = config.image_size
  if frames.shape[1:] != (size, size, 3) or frames.dtype != np.uint8:
    raise ValueError(
      f'frames: {frames.dtype} {frames.shape} is not uint8 [T, {size}, {size}, '
      '3]'
    )
  if points.shape != (len(frames), 68, 2):
    raise ValueError(
      f'points: shape {points.shape} is not ({len(frames)}, 68, 2)'
    )


def feed_forward(model: Model, frames, points) -> Person:
  """A person without fine-tuning: one pass of E and P.

  Args:
    model: Model.
    frames: uint8 [T, S, S, 3].
    points: float32 [T, 68, 2] in pixels.
  """
  _, adain_params = embed_person(model, frames, points)
  return Person(
    model.config,
    without_projection(model.normal['generator']),
    np.asarray(adain_params),
    np.asarray(frames[0]),
    np.asarray(points, np.float32),
    {'method': 'feed-forward', 'num_shots': len(frames), **_origin(model)},
  )


def _origin(model: Model) -> dict:
  return {
    'model': model.info.get('name', ''),
    'model_sha256': model.info.get('sha256', ''),
  }


@functools.lru_cache(maxsize=8)
def renderer(networks: nets.Networks):
  """A jitted function (generator, psi [M], points [B, 68, 2]) -> uint8 frames.

  Args:
    networks: of the person; the generator's parameters are those of `Person`.
  """

  @jax.jit
  def render(generator, adain_params, points):
    pictures = rasterise_landmarks(points, networks.embedder.image_size)
    psi = adain_params[None].repeat(points.shape[0], 0)
    return to_uint8(nets.generate(networks, generator, pictures, psi))

  return render


def frames_at_once(image_size: int) -> int:
  """How many frames are drawn at once, where none waits to be shown.

  On CPUs no more than the caches hold: sixteen of 256² take 1.1 times as long
  in one batch as one after the other.
  """
  if jax.default_backend() != 'cpu':
    return _BATCH
  return min(_BATCH, max(1, _PIXELS_ON_CPU // image_size**2))


def device_batches(person: Person, points, batch_size: int | None = None):
  """Draws the person, a batch at a time, and leaves it on the device.

  Args:
    person: Person.
    points: float32 [F, 68, 2] in pixels of the person's picture.
    batch_size: B; 1 for a camera, whose frames cannot wait for one another;
      None for `frames_at_once`.

  Yields:
    uint8 [B, S, S, 3] on the device, and how many of them count: one size of
    batch compiles once, and the rest of the last one is to be thrown away.
  """
  batch_size = batch_size or frames_at_once(person.config.image_size)
  render = renderer(nets.build_networks(person.config))
  points = np.asarray(points, np.float32)
  for start in range(0, len(points), batch_size):
    part = points[start : start + batch_size]
    missing = batch_size - len(part)
    padded = np.concatenate([part, part[-1:].repeat(missing, 0)])
    frames = render(person.generator, person.adain_params, padded)
    yield frames, len(part)


def animate_batches(person: Person, points, batch_size: int | None = None):
  """Draws the person, a batch at a time.

  Args:
    person: Person.
    points: float32 [F, 68, 2] in pixels of the person's picture.
    batch_size: B; see device_batches.

  Yields:
    uint8 [b, S, S, 3], b frames in order, at most B at a time. They carry no
    watermark: see `flaxheads.Marks`.
  """
  for frames, count in device_batches(person, points, batch_size):
    yield np.asarray(frames)[:count]


def animate(person: Person, points) -> np.ndarray:
  """Draws the person with the landmarks of every frame.

  Args:
    person: Person.
    points: float32 [F, 68, 2] in pixels of the person's picture.

  Returns:
    uint8 [F, S, S, 3], without a watermark: see `flaxheads.Marks`.
  """
  return np.concatenate(list(animate_batches(person, points)))


def save_person(
  folder: str, person: Person, report: dict | None = None
) -> None:
  """Writes a person folder; the tensors stay float32, exact.

  Args:
    folder: its name; an earlier person is replaced.
    person: Person.
    report: JSON values for `report.json` in it.
  """
  folders.save(
    folder,
    KIND,
    {'model': dataclasses.asdict(person.config), 'info': person.info},
    {
      'generator': person.generator,
      'adain_params': person.adain_params,
      'frame': person.frame,
      'support_points': person.support_points,
      **_portrait_tree(person.portrait),
    },
    report,
  )


def _portrait_tree(portrait: Portrait | None) -> dict:
  if portrait is None:
    return {}
  box = np.array(portrait.box, np.float32)
  return {'portrait': {'image': portrait.image, 'box': box}}


def load_person(folder: str) -> Person:
  """Reads a person folder.

  Raises:
    UserError: not a person, changed, or of sizes that do not fit.
  """
  description, tree = folders.load(folder, KIND)
  config = configs.from_dict(description.get('model', {}), ModelConfig)
  folders.check_tree(folder, tree, _expected(config, tree))
  portrait = tree.get('portrait')
  if portrait:
    portrait = Portrait(portrait['image'], CropBox(*portrait['box'].tolist()))
    _check_portrait(folder, portrait)
  return Person(
    config,
    tree['generator'],
    tree['adain_params'],
    tree['frame'],
    tree['support_points'],
    description.get('info', {}),
    portrait,
  )


def _check_portrait(folder: str, portrait: Portrait) -> None:
  """Raises UserError where the box has nothing to do with the picture."""
  height, width = portrait.image.shape[:2]
  x0, y0, side = portrait.box
  overlaps = -side < x0 < width and -side < y0 < height
  if not (overlaps and 1 <= side <= _MAX_CROP * max(height, width)):
    raise UserError(
      f'{folder}: its portrait and the place of the face in it do not belong '
      'together; make the person anew'
    )


def _expected(config: ModelConfig, tree: dict):
  networks = nets.build_networks(config)
  params = jax.eval_shape(
    lambda key: nets.init_params(networks, key), jax.random.key(0)
  )
  num_adain_params = networks.generator.num_adain_params
  size = config.image_size
  # How many pictures there were, and how large the portrait is, is free.
  num_shots = max(1, *np.shape(tree.get('support_points'))[:1], 1)
  portrait = {}
  if isinstance(tree.get('portrait'), dict):
    given = (*np.shape(tree['portrait'].get('image')), 1, 1)[:2]
    sides = [min(max(n, 1), MAX_SIDE) for n in given]
    portrait['portrait'] = {
      'image': jax.ShapeDtypeStruct((*sides, 3), np.uint8),
      'box': jax.ShapeDtypeStruct((3,), np.float32),
    }
  return {
    **portrait,
    'generator': without_projection(params['generator']),
    'adain_params': jax.ShapeDtypeStruct((num_adain_params,), np.float32),
    'frame': jax.ShapeDtypeStruct((size, size, 3), np.uint8),
    'support_points': jax.ShapeDtypeStruct((num_shots, 68, 2), np.float32),
  }
