r"""Downloads or converts pretrained weights.

python -m launch.weights --fetch=inception
python -m launch.weights --fetch=lpips_vgg,sface
python -m launch.weights --convert=w600k_r50.onnx --as=arcface_r50
python -m launch.weights --convert=alexnet.pth --convert=alex.pth \
  --as=lpips_alex_torch

Writes a safetensors file whose metadata hold source, SHA-256, licence and the
input convention, and a report beside it. docs/weights.md lists the names.
"""

import json
import tempfile
from pathlib import Path

from absl import flags

from flaxheads.data.output_files import atomic_paths
from flaxheads.errors import UserError
from flaxheads.weights import convert, fetch, sources, store

from . import _logs, app

_NAMES = ', '.join(sources.SOURCES)
_FETCH = flags.DEFINE_list(
  'fetch', [], f'Networks to download, separated by commas: {_NAMES}.'
)
_CONVERT = flags.DEFINE_multi_string(
  'convert', [], 'Weight file to convert instead.'
)
_AS = flags.DEFINE_string(
  'as', '', f'Network of the files of --convert: {_NAMES}.'
)
_MIRROR = flags.DEFINE_string(
  'mirror', '', 'Folder or URL with the files of the publishers.'
)
_SHA256 = flags.DEFINE_multi_string(
  'sha256', [], 'SHA-256 of a file that you trust, if its publisher gives none.'
)
_OUTPUT = flags.DEFINE_string(
  'output',
  '',
  'File to write (.safetensors). Default: where the metrics find it.',
)


def _check_flags() -> list[str]:
  """The names of the sources."""
  if bool(_FETCH.value) == bool(_CONVERT.value):
    raise UserError(f'give either --fetch or --convert; there are {_NAMES}')
  if _FETCH.value and _AS.value:
    raise UserError('--as goes with --convert, not with --fetch')
  if _CONVERT.value and _MIRROR.value:
    raise UserError('--mirror goes with --fetch, not with --convert')
  if _CONVERT.value:
    app.check_given(_AS)
  if _OUTPUT.value and not _OUTPUT.value.endswith('.safetensors'):
    raise UserError(f'--output={_OUTPUT.value}: must end in .safetensors')
  for flag in (_OUTPUT, _SHA256):
    if flag.value and len(_FETCH.value) > 1:
      raise UserError(f'--{flag.name} goes with one name in --fetch')
  flag, names = (
    ('--as', [_AS.value]) if _AS.value else ('--fetch', _FETCH.value)
  )
  for name in names:
    sources.find_source(flag, name)
  return names


def _write(name: str, files, output: Path, shapes) -> None:
  """The weights, and a report of what they are beside them."""
  try:
    output.parent.mkdir(parents=True, exist_ok=True)
  except OSError as error:
    raise UserError(f'{output}: cannot be made ({error.strerror})') from None
  report = output.with_suffix('.safetensors.report.json')
  with atomic_paths(output, report) as (new, new_report):
    metadata = convert.convert(name, files, new, shapes, _SHA256.value)
    facts = {'name': name, **metadata}
    new_report.write_text(json.dumps(facts, indent=2) + '\n')


def main():
  """Fetches or converts."""
  names = _check_flags()
  from flaxheads.models import pretrained  # late: importing JAX takes seconds

  with tempfile.TemporaryDirectory(prefix='flaxheads-') as folder:
    for name in names:
      source = sources.SOURCES[name]
      output = Path(_OUTPUT.value or store.default_path(name)).expanduser()
      files = _CONVERT.value or fetch.fetch(
        source, Path(folder), _MIRROR.value, _logs.progress_bar
      )
      _write(name, files, output, pretrained.shapes_of(source.network))
      print(f'{output}: {name}; licence: {source.licence}')


if __name__ == '__main__':
  app.run(main)
