"""Checks the metadata of a dataset from an untrusted source.

tensorflow-datasets imports any module that features.json names, and opens any
file that dataset_info.json names. Both files are checked before it reads them.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from flaxheads.errors import UserError

_MAX_BYTES = 1 << 20
_FEATURES = 'tensorflow_datasets.core.features.'
# The feature classes of `records.features()`.
_CLASSES = frozenset(
  f'{_FEATURES}{name}'
  for name in (
    'features_dict.FeaturesDict',
    'sequence_feature.Sequence',
    'scalar.Scalar',
    'tensor_feature.Tensor',
    'text_feature.Text',
  )
)


def _read(path: Path):
  try:
    if path.stat().st_size > _MAX_BYTES:
      raise UserError(f'{path}: larger than {_MAX_BYTES >> 20} MiB')
    return json.loads(path.read_text(encoding='utf-8'))
  except OSError as error:
    raise UserError(
      f'{path}: cannot be read ({error.strerror}); prepare the dataset again'
    ) from None
  except (ValueError, RecursionError) as error:
    if isinstance(error, UserError):
      raise
    raise UserError(
      f'{path}: is not valid JSON; prepare the dataset again'
    ) from None


def _values(tree, names: frozenset) -> Iterator:
  """Yields the values of these keys at any depth."""
  left = [tree]
  while left:
    node = left.pop()
    if isinstance(node, dict):
      for key, value in node.items():
        if key in names:
          yield value
        left.append(value)
    elif isinstance(node, list):
      left += node


def check_dataset_info(folder) -> None:
  """Raises UserError unless the metadata is what `launch.prepare` writes.

  Args:
    folder: of one version of a dataset.
  """
  folder = Path(folder)
  path = folder / 'features.json'
  # Protocol buffers accept both spellings.
  names = frozenset(('pythonClassName', 'python_class_name', 'type'))
  for name in _values(_read(path), names):
    if name not in _CLASSES:
      raise UserError(
        f'{path}: names {str(name)[:80]!r}, which no dataset of launch.prepare'
        ' has; prepare it again'
      )
  path = folder / 'dataset_info.json'
  names = frozenset(('filepathTemplate', 'filepath_template'))
  for template in _values(_read(path), names):
    if not isinstance(template, str) or '/' in template or '..' in template:
      raise UserError(
        f'{path}: names a file outside of its folder ({str(template)[:80]!r});'
        ' prepare the dataset again'
      )
