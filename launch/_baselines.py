"""Flags for the comparators that are trained, X2Face and Pix2pixHD."""

from pathlib import Path

from absl import flags

from flaxheads.errors import UserError
from flaxheads.evaluation import methods

_FOLDERS = {
  name: flags.DEFINE_string(
    name,
    None,
    f'Folder of a trained {methods.TITLES[name]}, as launch.export writes it.',
  )
  for name in methods.TRAINED
}
_PAPERS = {'x2face': ['vggface'], 'pix2pixhd': ['vgg19']}
_TRUE_FRAMES = (
  'X2Face is driven by frames, not by landmarks: in self-reenactment by the'
  ' very frames that it is compared with.'
)


def load(names) -> dict:
  """The comparators among the methods that were asked for.

  Args:
    names: of methods.

  Returns:
    (flaxheads.evaluation.baselines.trained.Trained, digest) by name.

  Raises:
    UserError: a folder is missing, given for nothing, or no such comparator.
  """
  loaded = {}
  for name, flag in _FOLDERS.items():
    if flag.value and name not in names:
      raise UserError(f'--{name}: is not among the --methods; add it there')
    if name not in names:
      continue
    if not flag.value:
      raise UserError(
        f'methods: {name} has to be trained; give --{name}, a folder of'
        f' launch.export (launch.train --config=configs/{name}_64.py)'
      )
    from flaxheads.evaluation.baselines import trained  # late: networks

    digest = methods.digest_folder(Path(flag.value).expanduser())
    loaded[name] = trained.load(flag.value, name), digest
  return loaded


def choose_image_size(model, loaded: dict, given: int | None) -> int:
  """The size that all who draw agree about.

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
        f'--image_size={given}: {who} draws {size}x{size}; leave the flag out'
      )
    first, wanted = next(iter(sizes.items()))
    if size != wanted:
      raise UserError(
        f'{who}: draws {size}x{size}, but {first} {wanted}x{wanted}'
      )
  return next(iter(sizes.values()), 256)


def remark(loaded: dict) -> tuple[list[str], list[str]]:
  """Warnings and notes for the report, sentences."""
  warnings = []
  for name, (trained, _) in loaded.items():
    known = trained.info.get('perceptual', [])
    if missing := [n for n in _PAPERS[name] if n not in known]:
      what = 'trained and fine-tuned' if name == 'pix2pixhd' else 'trained'
      warnings.append(
        f'{methods.TITLES[name]}: {what} without {" and ".join(missing)}, which'
        ' its paper has'
      )
    elif name == 'pix2pixhd':
      warnings.append('Pix2pixHD: fine-tuned without vgg19')
  return warnings, [_TRUE_FRAMES] if 'x2face' in loaded else []
