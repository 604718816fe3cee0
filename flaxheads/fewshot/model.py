"""Model folders: a meta-trained model without W and optimiser state."""

import dataclasses
import functools
import os
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from flaxheads import config as configs
from flaxheads import networks as nets
from flaxheads.bilayer_config import BilayerModelConfig
from flaxheads.config import Config, ModelConfig
from flaxheads.errors import UserError
from flaxheads.fewshot import bilayer_model, folders
from flaxheads.fewshot.bilayer_model import BilayerModel
from flaxheads.models import spectral

if TYPE_CHECKING:  # training is not loaded where a model is only used
  from flaxheads.training.state import TrainState

KIND = 'model'
NO_MODEL = 'none'  # for photographs that the head mesh alone moves
# Not `perceptual`: paths of the trainer's machine mean nothing elsewhere.
_PARTS = ('model', 'loss', 'optimizer', 'training', 'finetune')
_POWER_ITERATIONS = 20  # for the singular vectors of averaged weights


@dataclasses.dataclass(frozen=True)
class Model:
  """A meta-trained model.

  Attributes:
    experiment: the Config it was trained with. A model that was read from a
      folder has the parts that fine-tuning needs, and defaults elsewhere.
    params: {'embedder', 'generator', 'discriminator'}, not normalised, so
      that fine-tuning can start from them.
    spectral: the vectors of spectral normalisation, same keys.
    info: how it was made: steps, dataset, and so on.
  """

  experiment: Config
  params: dict
  spectral: dict
  info: dict

  @property
  def config(self) -> ModelConfig:
    """Sizes of the networks, image_size among them."""
    return self.experiment.model

  @property
  def networks(self) -> nets.Networks:
    """The modules, as stateless functions."""
    return nets.build_networks(self.config)

  @functools.cached_property
  def normal(self) -> dict:
    """Parameters with spectral normalisation folded in: for use, not training.

    Same keys as `params`.
    """
    return fold(self.params, self.spectral)


def fold(params: dict, vectors: dict) -> dict:
  """Divides every kernel of every network by its singular value."""
  folded = {
    name: spectral.normalize_on_host(params[name], vectors[name])
    for name in params
  }
  return jax.tree.map(jnp.asarray, folded)


def model_from_state(state: 'TrainState', config: Config, info: dict) -> Model:
  """The averaged E and G and the last D of a training state."""
  params = {**state.ema, 'discriminator': state.params['discriminator']}
  vectors = jax.jit(
    lambda params, vectors: {
      name: spectral.power_iteration(
        params[name], vectors[name], _POWER_ITERATIONS
      )
      for name in params
    }
  )(params, state.spectral)
  info = {'step': int(state.step), **info}
  return Model(config, params, vectors, info)


def save_model(folder: str, model: Model, dtype: str = 'float16') -> None:
  """Writes a model folder.

  Args:
    folder: its name.
    model: what to write.
    dtype: of the stored tensors: float32, float16 or bfloat16.
  """
  experiment = dataclasses.asdict(model.experiment)
  tree = {'params': model.params, 'spectral': model.spectral}
  folders.save(
    folder,
    KIND,
    {
      'config': {part: experiment[part] for part in _PARTS},
      'info': model.info,
    },
    jax.tree.map(lambda x: jnp.asarray(x, dtype), tree),
  )


def _expected(config: ModelConfig):
  """Shapes of every tensor of a model."""
  networks = nets.build_networks(config)

  def make(key):
    params = nets.init_params(networks, key)
    vectors = {k: spectral.init_spectral(key, v) for k, v in params.items()}
    return {'params': params, 'spectral': vectors}

  return jax.eval_shape(make, jax.random.key(0))


def load_model(folder: str | None = None) -> Model | BilayerModel:
  """Reads a model folder of either generator; None: the shipped bi-layer model.

  Raises:
    UserError: not a model, changed, or of sizes that do not fit its config.
  """
  if not folder:
    folder = shipped_model()
    if not os.path.isdir(folder):
      raise UserError(
        f'{folder}: this installation ships no model there; name one with '
        '--model, a folder of launch.export'
      )
  description, tree = folders.load(folder, KIND)
  values = description.get('config', {})
  info = {
    **description.get('info', {}),
    'name': os.path.basename(os.path.realpath(os.path.expanduser(folder))),
    'sha256': description['sha256'],
  }
  if description.get('generator') == bilayer_model.GENERATOR:
    sizes = configs.from_dict(values.get('model', {}), BilayerModelConfig)
    # Tracing takes a CPU-second; a test checks the shipped model's tensors.
    if folder != shipped_model():
      folders.check_tree(folder, tree, bilayer_model.expected(sizes))
    return BilayerModel(sizes, tree, info)
  experiment = configs.from_dict(values)
  folders.check_tree(folder, tree, _expected(experiment.model))
  return Model(experiment, tree['params'], tree['spectral'], info)


def choose_model(
  model: 'Model | BilayerModel | str | None',
) -> 'Model | BilayerModel | None':
  """The model that animates photographs.

  Args:
    model: a model or its folder; None: the shipped one, or none where the
      installation has none; NO_MODEL: none.

  Returns:
    The model; None for the head mesh alone.

  Raises:
    UserError: as `load_model`.
  """
  if model == NO_MODEL:
    return None
  if model is None:
    return load_model() if os.path.isdir(shipped_model()) else None
  return load_model(model) if isinstance(model, str) else model


def load_direct_model(folder: str | None) -> Model:
  """`load_model` for what works with the paper's generator alone.

  Raises:
    UserError: as `load_model`, no folder, or one of a bi-layer generator.
  """
  if not folder:
    raise UserError(
      "--model is missing: a model folder of the paper's generator, which "
      'launch.train and launch.export make'
    )
  model = load_model(folder)
  if not isinstance(model, Model):
    raise UserError(
      f"--model={folder}: a bi-layer model; give one of the paper's generator. "
      'A bi-layer model animates photographs as it is, with launch.animate '
      '--source, because fine-tuning it on them made little difference '
      '(docs/animation.md)'
    )
  return model


def choose_bilayer_model(
  model: BilayerModel | str | None,
) -> BilayerModel | None:
  """`choose_model` for what works with a bi-layer generator alone.

  Raises:
    UserError: as `load_model`, or the folder holds the paper's generator.
  """
  chosen = choose_model(model)
  if isinstance(chosen, Model):
    raise UserError(
      f"{model}: a model of the paper's generator; give a bi-layer model"
    )
  return chosen


def shipped_model() -> str:
  """Folder of the model that comes with the package."""
  return os.path.join(os.path.dirname(__file__), 'bilayer_128')
