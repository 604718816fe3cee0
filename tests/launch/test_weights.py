"""launch.weights as a user runs it: no internet, so a mirror and files."""

import json

import pytest
from safetensors.numpy import save_file

from flaxheads.weights import convert, sources, store, tensors
from flaxheads.weights.source import Part
from tests.launch.commands import call
from tests.weights import published

HEADS = (64, 192, 384, 256, 256)


@pytest.fixture(scope='module')
def files(tmp_path_factory):
  folder = tmp_path_factory.mktemp('files')
  made = {
    'backbone.safetensors': published.alexnet_features(),
    'heads.safetensors': published.lpips_heads(HEADS),
  }
  for name, shapes in made.items():
    save_file(published.draw(shapes), folder / name)
  return [folder / name for name in made]


def _convert(files, *others):
  return call(
    'weights',
    '--as=lpips_alex_torch',
    *(f'--convert={f}' for f in files),
    *others,
  )


def test_convert(files, tmp_path, monkeypatch):
  monkeypatch.setenv(store.FOLDER_VARIABLE, str(tmp_path))
  first, second = (convert.hash_file(str(file)) for file in files)
  refused = _convert(files)
  assert refused.code == 2
  assert refused.err.endswith(f'add --sha256={first}\n')
  assert refused.err.count('\n') == 1
  assert not list(tmp_path.iterdir())
  done = _convert(files, f'--sha256={first}', f'--sha256={second}')
  assert done.code == 0, done.err
  path = store.default_path('lpips_alex_torch')
  assert done.out.startswith(f'{path}: lpips_alex_torch; licence: BSD-3-Clause')
  report = json.loads((tmp_path / f'{path.name}.report.json').read_text())
  metadata = tensors.read_metadata(str(path))
  assert report == {'name': 'lpips_alex_torch', **metadata}
  assert metadata['sha256'] == f'{first} {second}'


def test_fetch_from_a_mirror(files, tmp_path, monkeypatch):
  source = sources.SOURCES['lpips_alex_torch']
  parts = tuple(
    Part(f'https://publisher.invalid/deep/{file.name}', '') for file in files
  )
  monkeypatch.setitem(
    sources.SOURCES, 'lpips_alex_torch', source._replace(parts=parts)
  )
  hashes = [f'--sha256={convert.hash_file(str(file))}' for file in files]
  output = tmp_path / 'lpips.safetensors'
  given = ['--fetch=lpips_alex_torch', f'--output={output}']
  mirror = f'--mirror={files[0].parent}'
  done = call('weights', *given, mirror, *hashes)
  assert done.code == 0, done.err
  assert tensors.read_metadata(str(output))['verified_by'] == store.USER
  # From the publisher, who is not there: failed, which is nobody's mistake.
  failed = call('weights', *given)
  assert failed.code == 1
  assert '--mirror=FOLDER_OR_URL' in failed.err
  assert failed.err.count('\n') == 1


@pytest.mark.parametrize(
  'arguments, message',
  [
    ([], 'give either --fetch or --convert; there are vgg19, vgg19_keras'),
    (['--fetch=vgg19', '--convert=x.pth'], 'give either --fetch or --convert'),
    (['--fetch=vgg'], "--fetch: 'vgg' is not one of vgg19, "),
    (['--convert=x.pth'], '--as is missing'),
    (['--convert=x.pth', '--as=vgg'], "--as: 'vgg' is not one of vgg19, "),
    (['--fetch=vgg19,x'], "--fetch: 'x' is not one of vgg19, "),
    (
      ['--fetch=vgg19,sface', '--output=x.safetensors'],
      '--output goes with one name in --fetch',
    ),
    (['--fetch=vgg19', '--as=vgg19'], '--as goes with --convert'),
    (
      ['--convert=x.pth', '--as=vgg19', '--mirror=x'],
      '--mirror goes with --fetch',
    ),
    (['--fetch=vgg19', '--output=x.pth'], '--output=x.pth: must end in'),
    (['--convert=absent.pth', '--as=vgg19'], 'absent.pth: cannot be read'),
    (['--fetch=vgg19', '--mirror=/none'], 'no file vgg19-d01eb7cb.pth'),
  ],
)
def test_what_is_asked_wrongly_is_one_line(arguments, message):
  done = call('weights', *arguments)
  assert (done.code, done.out) == (2, '')
  assert message in done.err
  assert done.err.count('\n') == 1
