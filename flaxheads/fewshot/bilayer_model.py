"""A trained bi-layer generator, its folder, and its corrections of a warp."""

import dataclasses
import functools
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from flaxheads import bilayer_networks as nets
from flaxheads.bilayer_config import BilayerConfig, BilayerModelConfig
from flaxheads.data.pixels import to_float
from flaxheads.fewshot import folders
from flaxheads.landmarks import host_raster, layout
from flaxheads.models import bilayer
from flaxheads.models.generator import Projection
from flaxheads.models.windows import window_origin
from flaxheads.quick_jit import quick_jit

if TYPE_CHECKING:  # training is not loaded where a model is only used
  from flaxheads.training.state import TrainState

GENERATOR = 'bilayer'  # in a folder's description
_FOLDER = 'model'
_NETWORKS = ('embedder', 'generator')


@dataclasses.dataclass(frozen=True)
class BilayerModel:
  """E and G of a bi-layer run; D and W are not needed to use it.

  Attributes:
    config: sizes of the networks.
    params: {'embedder', 'generator'}.
    info: how it was made: steps, dataset, and so on.
  """

  config: BilayerModelConfig
  params: dict
  info: dict

  @property
  def networks(self) -> nets.BilayerNetworks:
    """The modules, as stateless functions."""
    return nets.build_networks(self.config)


class Correction(NamedTuple):
  """What the generator adds to the warp in a window, numpy.

  Attributes:
    origin: float32 [B, 2], the window's upper left corner, pixels of a frame
      of the model's image size.
    mask: float32 [B, n, n, 1], the photograph's share.
    flow: float32 [B, n, n, 2], (x, y) added to the warp, pixels alike.
    rgb: float32 [B, n, n, 3], new colours in [0, 255].
  """

  origin: np.ndarray
  mask: np.ndarray
  flow: np.ndarray
  rgb: np.ndarray


def model_from_state(
  state: 'TrainState', config: BilayerConfig, info: dict
) -> BilayerModel:
  """The averaged E and G of a training state."""
  params = {name: state.ema[name] for name in _NETWORKS}
  return BilayerModel(config.model, params, {'step': int(state.step), **info})


def save_model(
  folder: str, model: BilayerModel, dtype: str = 'float16'
) -> None:
  """Writes a model folder.

  Args:
    folder: its name.
    model: what to write.
    dtype: of the stored tensors: float32, float16 or bfloat16.
  """
  folders.save(
    folder,
    _FOLDER,
    {
      'generator': GENERATOR,
      'config': {'model': dataclasses.asdict(model.config)},
      'info': model.info,
    },
    jax.tree.map(lambda x: jnp.asarray(x, dtype), model.params),
  )


def expected(config: BilayerModelConfig) -> dict:
  """Shapes of every tensor of a model, as `folders.check_tree` takes them."""
  return nets.describe_params(nets.build_networks(config), _NETWORKS)


@functools.lru_cache(maxsize=4)
def build_embedder(networks: nets.BilayerNetworks):
  """A jitted (params, frames, landmark_images) -> psi [M].

  Frames are uint8 [T, S, S, 3], landmark images are of E's size.
  `__wrapped__` is the function before jax.jit.
  """

  def embed(params, frames, landmark_images):
    embedding = nets.embed_frames(
      networks,
      params['embedder'],
      to_float(frames)[None],
      landmark_images[None],
    )
    projection = params['generator']['projection']
    size = projection['bias'].shape[0]
    return Projection(size).apply({'params': projection}, embedding)[0]

  return quick_jit(embed, 'once')


def embed_photographs(model: BilayerModel, frames, points) -> np.ndarray:
  """Psi = P ê of the mean embedding over T photographs.

  Args:
    model: BilayerModel.
    frames: uint8 [T, S, S, 3], S the model's image size.
    points: float [T, 68, 2] in pixels.

  Returns:
    float32 [M].
  """
  size = model.networks.embedder.image_size
  scaled = np.asarray(points) * (size / frames.shape[1])
  images = host_raster.landmark_images(scaled, size)
  return np.asarray(
    build_embedder(model.networks)(model.params, np.asarray(frames), images)
  )


@functools.lru_cache(maxsize=4)
def build_generator(networks: nets.BilayerNetworks, many: bool = False):
  """A jitted function for windows; `corrections` has its arguments.

  `__wrapped__` is the function before jax.jit.

  Args:
    networks: BilayerNetworks.
    many: as of `corrections`.
  """

  def generate(params, psi, landmark_images, warped, field, origin):
    output = networks.generator.apply(
      {'params': params},
      bilayer.window_features(landmark_images, warped, field, origin),
      warped,
      jnp.broadcast_to(psi, (len(warped), len(psi))),
    )
    mask, flow = bilayer.mask_and_flow(field, output)
    return mask, flow, (output.rgb + 1) * 127.5

  return quick_jit(generate, 'some' if many else 'once')


def corrections(
  networks: nets.BilayerNetworks,
  generator: dict,
  psi,
  photographs,
  source,
  target,
  many: bool = False,
) -> Correction:
  """What the generator adds to the warps of B frames.

  Args:
    networks: BilayerNetworks.
    generator: of `person.without_projection`.
    psi: float32 [M].
    photographs: uint8 [B, S, S, 3].
    source: float32 [B, V, 3], of `head_mesh.mesh_vertices`, pixels of S.
    target: float32 [B, V, 3], alike.
    many: whether a hundred frames or more follow. A CPU then takes a second
      longer to compile, and half as long for a frame.
  """
  points = target[:, : layout.NUM_POINTS, :2]
  image_size, window = photographs.shape[1], networks.generator.window_size
  origin = window_origin(points, window, image_size, np)
  field = host_raster.warp_field(source, target, image_size, origin, window)
  arrays = build_generator(networks, many)(
    generator,
    psi,
    host_raster.landmark_images(points - origin[:, None], window),
    host_raster.sample_bilinear(photographs / np.float32(127.5) - 1, field.xy),
    field,
    origin,
  )
  return Correction(origin, *map(np.asarray, arrays))
