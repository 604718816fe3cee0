"""What the files beside records may say, checked before anything acts on them.

tensorflow-datasets imports whatever module features.json names, and opens
whatever files dataset_info.json names.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from flaxheads.errors import UserError

_MAX_BYTES = 1 << 20
_FEATURES = 'tensorflow_datasets.core.features.'
# What `records.features()` is made of.
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
      f'{path}: can not be read ({error.strerror}); prepare the data set again'
    ) from None
  except (ValueError, RecursionError) as error:
    if isinstance(error, UserError):
      raise
    raise UserError(
      f'{path}: is not valid JSON; prepare the data set again'
    ) from None


def _values(tree, names: frozenset) -> Iterator:
  """Values of the keys of these names, at any depth."""
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
  """Raises UserError unless a folder of records describes such as we make.

  Args:
    folder: of one version of a data set.
  """
  folder = Path(folder)
  path = folder / 'features.json'
  # Protocol buffers read either spelling.
  names = frozenset(('pythonClassName', 'python_class_name', 'type'))
  for name in _values(_read(path), names):
    if name not in _CLASSES:
      raise UserError(
        f'{path}: names {str(name)[:80]!r}, which no data set of launch.prepare'
        ' has; prepare it again'
      )
  path = folder / 'dataset_info.json'
  names = frozenset(('filepathTemplate', 'filepath_template'))
  for template in _values(_read(path), names):
    if not isinstance(template, str) or '/' in template or '..' in template:
      raise UserError(
        f'{path}: names files outside of its folder ({str(template)[:80]!r})'
      )
