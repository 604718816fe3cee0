"""The methods by name: those of the models, and the baselines."""

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flaxheads.baselines.nearest import nearest
from flaxheads.baselines.warp import warp
from flaxheads.errors import UserError, check_choice
from flaxheads.evaluation.protocol import Generated, Method

if TYPE_CHECKING:  # baselines need no networks
  from flaxheads.fewshot.bilayer_model import BilayerModel

BASELINES = {'nearest': nearest, 'warp': warp}
TRAINED = ('x2face', 'pix2pixhd')
MODEL_METHODS = ('ff', 'ft')  # feed-forward, fine-tuned
MESH, BILAYER = 'mesh', 'bilayer'  # photographs, moved; and corrected
NAMES = (*BASELINES, *TRAINED, *MODEL_METHODS, MESH, BILAYER)
# As the paper's Table 1 calls them.
TITLES = {
  'nearest': 'Nearest frame',
  'warp': 'Landmark warp',
  'x2face': 'X2Face',
  'pix2pixhd': 'Pix2pixHD',
  'ff': 'Ours-FF',
  'ft': 'Ours-FT',
  MESH: 'Head mesh',
  BILAYER: 'Bi-layer',
}


def check_names(names) -> None:
  """Raises UserError unless the names are known and differ."""
  if not names:
    raise UserError(f'--methods: none given; choose from {", ".join(NAMES)}')
  for name in names:
    check_choice('--methods', name, NAMES)
  if len(set(names)) < len(names):
    raise UserError('--methods: a name is given twice')


def digest_folder(folder: Path) -> str:
  """SHA-256 over names and contents of a folder's files."""
  digest = hashlib.sha256()
  for path in sorted(Path(folder).rglob('*')):
    if path.is_file():
      with path.open('rb') as file:
        content = hashlib.file_digest(file, 'sha256').hexdigest()
      digest.update(f'{path.relative_to(folder)} {content}\n'.encode())
  return digest.hexdigest()


def make_methods(
  names,
  model=None,
  finetune_config=None,
  seed=0,
  model_digest='',
  validator=None,
  trained: Mapping[str, tuple[Any, str]] | None = None,
  bilayer: 'tuple[BilayerModel, str] | None' = None,
) -> list[Method]:
  """Methods in the table's order: baselines first.

  Args:
    names: of NAMES.
    model: of flaxheads.fewshot.load_model; not needed by the baselines.
    finetune_config: flaxheads.config.FinetuneConfig, for 'ft'.
    seed: of fine-tuning.
    model_digest: stands for the model's weights in the results.
    validator: flaxheads.fewshot.Validator, for 'ft'; None: the content loss
      alone says when fine-tuning was best.
    trained: trained baselines by name, each a TrainedBaseline of
      flaxheads.baselines.folder and the digest of its weights.
    bilayer: for 'bilayer': the model, and the digest of its weights.

  Returns:
    Method for each name.

  Raises:
    UserError: unknown or repeated names, or no model or trained baseline
      where one is needed.
  """
  check_names(names)
  methods = []
  for name in sorted(names, key=NAMES.index):
    if name in BASELINES:
      methods.append(Method(name, BASELINES[name]))
    elif name in TRAINED:
      methods.append(_trained_baseline(name, (trained or {}).get(name), seed))
    elif name in (MESH, BILAYER):
      methods.append(_photographs(name, bilayer))
    elif model is None:
      raise UserError(f'--methods: {name} needs a model; give --model')
    elif name == 'ff':
      methods.append(
        Method(name, _feed_forward(model), {'model': model_digest})
      )
    else:
      settings = {
        'model': model_digest,
        'finetune': dataclasses.asdict(finetune_config),
        'seed': seed,
        'validator': validator.identify() if validator else None,
      }
      render = _finetuned(model, finetune_config, seed, validator)
      methods.append(Method(name, render, settings))
  return methods


# The networks are imported when they are used, so that the baselines and the
# protocol do without them.


def _trained_baseline(name, given, seed) -> Method:
  from flaxheads.experiments import EXPERIMENTS

  if given is None:
    raise UserError(f'--methods: {name} has to be trained; give --{name}')
  baseline, digest = given
  rendering = EXPERIMENTS[name].rendering
  settings = {name: digest}
  if rendering.uses_seed:
    settings['seed'] = seed
  render = rendering.make(baseline, seed)
  return Method(name, render, settings, rendering.driven_by_frames)


def _photographs(name, bilayer) -> Method:
  if name == MESH:
    model, settings = None, {}
  elif bilayer is None:
    raise UserError(f'--methods: {name} needs a model; give --bilayer')
  else:
    model, settings = bilayer[0], {'bilayer': bilayer[1]}

  def render(frames, points, drivers):
    from flaxheads.fewshot.photo_person import person_of_crops

    return person_of_crops(frames, points, model).compose(drivers.points)

  return Method(name, render, settings)


def _feed_forward(model):
  def render(frames, points, drivers):
    from flaxheads import fewshot

    person = fewshot.feed_forward(model, frames, points)
    return fewshot.animate(person, drivers.points)

  return render


def _finetuned(model, config, seed, validator):
  def render(frames, points, drivers):
    from flaxheads import fewshot

    person = fewshot.finetune(
      model, frames, points, config, seed, validator=validator
    )
    frames = fewshot.animate(person, drivers.points)
    return Generated(frames, person.info['curve'])

  return render
