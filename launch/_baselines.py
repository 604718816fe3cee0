"""Flags for the trained baselines, X2Face and Pix2pixHD."""

import dataclasses
from pathlib import Path

from absl import flags

from flaxheads.errors import UserError
from flaxheads.evaluation import methods

_FOLDERS = {
  name: flags.DEFINE_string(
    name,
    None,
    f'Folder of a trained {methods.TITLES[name]}, by launch.export.',
  )
  for name in methods.TRAINED
}
_TRUE_FRAMES = (
  'X2Face is driven by frames, not by landmarks: in self-reenactment by the'
  ' very frames that it is compared with.'
)


def load(names) -> dict:
  """The trained baselines among the chosen methods.

  Args:
    names: of methods.

  Returns:
    (flaxheads.baselines.folder.TrainedBaseline, digest) by name.

  Raises:
    UserError: a folder is missing, given but not used, or no such baseline.
  """
  loaded = {}
  for name, flag in _FOLDERS.items():
    if flag.value and name not in names:
      raise UserError(f'--{name} is given, but --methods lacks {name}; add it')
    if name not in names:
      continue
    if not flag.value:
      raise UserError(
        f'methods: {name} has to be trained; give --{name}, a folder of'
        f' launch.export (launch.train --config=configs/{name}_64.py)'
      )
    from flaxheads.experiments import EXPERIMENTS  # late: networks

    digest = methods.digest_folder(Path(flag.value).expanduser())
    loaded[name] = EXPERIMENTS[name].rendering.load(flag.value), digest
  return loaded


def choose_image_size(model, loaded: dict, given: int | None) -> int:
  """The image size that model and baselines share.

  Args:
    model: of flaxheads.fewshot, or None.
    loaded: of `load`.
    given: by --image_size, or None.

  Raises:
    UserError: they do not.
  """
  sizes = {f'--{k}': t.config.model.image_size for k, (t, _) in loaded.items()}
  if model:
    sizes = {'the model': model.config.image_size, **sizes}
  if given and not sizes:
    return given
  for who, size in sizes.items():
    if given not in (None, size):
      raise UserError(
        f'--image_size={given}: {who} generates {size}x{size}; leave the flag'
        ' out'
      )
    first, wanted = next(iter(sizes.items()))
    if size != wanted:
      raise UserError(
        f'{who}: generates {size}x{size}, but {first} {wanted}x{wanted}'
      )
  return next(iter(sizes.values()), 256)


def remark(loaded: dict) -> tuple[list[str], list[str]]:
  """Warnings and notes for the report, sentences."""
  warnings = []
  for name, (trained, _) in loaded.items():
    used = trained.info.get('perceptual', [])
    of_paper = [f.name for f in dataclasses.fields(trained.config.perceptual)]
    if missing := [n for n in of_paper if n not in used]:
      what = 'trained and fine-tuned' if name == 'pix2pixhd' else 'trained'
      warnings.append(
        f'{methods.TITLES[name]}: {what} without {" and ".join(missing)}, which'
        ' its paper has'
      )
    elif name == 'pix2pixhd':
      warnings.append('Pix2pixHD: fine-tuned without vgg19')
  return warnings, [_TRUE_FRAMES] if 'x2face' in loaded else []
