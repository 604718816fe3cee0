"""Folders that hold a JSON description and one safetensors file.

Models, people and trained baselines travel this way. The JSON names the
SHA-256 of the tensors, so that a changed byte is noticed before a tensor is
used.
"""

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

from flax import traverse_util

from flaxheads.data.output_files import check_writable, replace_all
from flaxheads.errors import UserError
from flaxheads.weights import tensors

FORMAT_VERSION = 1
_MAX_JSON_BYTES = 1 << 20
TENSORS_FILE = 'tensors.safetensors'
REPORT_FILE = 'report.json'


def sha256(path: str) -> str:
  """Hex digest of a file."""
  with open(path, 'rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()


def check_output(folder: str, kind: str) -> None:
  """Raises UserError where `folder` cannot become a folder of this kind.

  Also where it cannot be written, which is better known before hours of work.
  """
  folder = os.path.expanduser(folder)
  if os.path.isfile(folder):
    raise UserError(f'{folder}: is a file; give the name of a new folder')
  check_writable(os.path.dirname(os.path.realpath(folder)))
  if not os.path.isdir(folder):
    return
  names = set(os.listdir(folder))
  replaceable = {f'{kind}.json', TENSORS_FILE, REPORT_FILE}
  # What is replaced is deleted, so it must hold no other files.
  if names and (f'{kind}.json' not in names or names - replaceable):
    raise UserError(
      f'{folder}: a folder with other files in it; give the name of a new '
      f'folder, or of a {kind} to replace'
    )


def save(
  folder: str, kind: str, description: dict, tree, report: dict | None = None
) -> None:
  """Writes a folder; it appears whole or not at all.

  Args:
    folder: its name; an older one of the same kind is replaced.
    kind: 'model', 'person' or 'baseline', the name of the JSON file.
    description: JSON values.
    tree: nested dict of arrays.
    report: JSON values for REPORT_FILE beside them; None: none.

  Raises:
    UserError: the name belongs to something else, or cannot be written.
  """
  check_output(folder, kind)
  folder = os.path.realpath(
    os.path.expanduser(folder)
  )  # a link stays, what it names is replaced
  parent = os.path.dirname(folder)
  try:
    os.makedirs(parent, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=parent, prefix=f'.{kind}-'))
  except OSError as error:
    raise UserError(f'{folder}: cannot be written ({error.strerror})') from None
  try:
    new = temporary / kind
    new.mkdir()
    path = str(new / TENSORS_FILE)
    tensors.save_tree(path, tree)
    description = {
      'kind': kind,
      'format_version': FORMAT_VERSION,
      'sha256': sha256(path),
      **description,
    }
    _write_json(new / f'{kind}.json', description)
    if report is not None:
      _write_json(new / REPORT_FILE, report)
    replace_all([(new, Path(folder))], temporary)
  except OSError as error:
    raise UserError(
      f'{folder}: cannot be written ({error.strerror or error})'
    ) from None
  finally:
    shutil.rmtree(temporary, ignore_errors=True)


def _write_json(path: Path, values: dict) -> None:
  path.write_text(json.dumps(values, indent=2) + '\n', encoding='utf-8')


def load(folder: str, kind: str) -> tuple[dict, dict]:
  """Reads a folder and checks that its tensors are the ones it names.

  Args:
    folder: its name.
    kind: 'model', 'person' or 'baseline'.

  Returns:
    The description and the tree of float32 arrays.

  Raises:
    UserError: no such folder, of another kind or version, or changed.
  """
  folder = os.path.expanduser(folder)
  path = os.path.join(folder, f'{kind}.json')
  if not os.path.isdir(folder):
    what = 'is a file' if os.path.exists(folder) else 'no such folder'
    raise UserError(f'{folder}: {what}; a {kind} is a folder')
  if not os.path.isfile(path):
    raise UserError(f'{folder}: holds no {kind}.json, so it is not a {kind}')
  if os.path.getsize(path) > _MAX_JSON_BYTES:
    raise UserError(f'{path}: larger than {_MAX_JSON_BYTES >> 20} MiB')
  try:
    with open(path, encoding='utf-8') as file:
      description = json.load(file)
  except OSError as error:
    raise UserError(f'{path}: cannot be read ({error.strerror})') from None
  except (ValueError, RecursionError):
    raise UserError(f'{path}: is not valid JSON') from None
  if not isinstance(description, dict) or description.get('kind') != kind:
    raise UserError(f'{path}: does not describe a {kind}')
  if description.get('format_version') != FORMAT_VERSION:
    raise UserError(
      f'{path}: has format_version {description.get("format_version")}; this '
      f'release reads {FORMAT_VERSION}'
    )
  for part in ('config', 'model', 'info'):
    if not isinstance(description.get(part, {}), dict):
      raise UserError(f'{path}: {part} is not an object')
  file_path = os.path.join(folder, TENSORS_FILE)
  if not os.path.isfile(file_path):
    raise UserError(f'{file_path}: is missing')
  if os.path.getsize(file_path) > tensors.MAX_FILE_BYTES:
    raise UserError(f'{file_path}: too large for a {kind}')
  if sha256(file_path) != description.get('sha256'):
    raise UserError(
      f'{file_path}: is not the file that {kind}.json names (its SHA-256 '
      'differs); copy the folder again'
    )
  return description, tensors.load_tree(file_path)


def check_tree(folder: str, tree, like) -> None:
  """Raises UserError unless `tree` is like `like`: names, shapes, types."""
  path = os.path.join(os.path.expanduser(folder), TENSORS_FILE)
  tensors.check_like(path, tree, like)
  found = traverse_util.flatten_dict(tree, sep='/')
  for name, wanted in traverse_util.flatten_dict(like, sep='/').items():
    if found[name].dtype != wanted.dtype:
      raise UserError(
        f'{path}: tensor {name} is {found[name].dtype}, not {wanted.dtype}'
      )
