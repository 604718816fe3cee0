"""Files become weights that say what they are, or are refused in one line."""

import json
import os
import stat

import numpy as np
import pytest
from safetensors.numpy import save_file

from flaxheads.errors import UserError
from flaxheads.models import pretrained
from flaxheads.weights import convention, convert, foreign, sources, store
from tests.weights import published

CHANNELS = (64, 192, 384, 256, 256)


@pytest.fixture(scope='module')
def files(tmp_path_factory):
  """LPIPS' two files, the smallest of all networks, as safetensors."""
  folder = tmp_path_factory.mktemp('published')
  parts = {
    'backbone': published.alexnet_features(),
    'heads': published.lpips_heads(CHANNELS),
  }
  paths = []
  for name, shapes in parts.items():
    paths.append(str(folder / f'{name}.safetensors'))
    save_file(published.draw(shapes), paths[-1])
  return paths


@pytest.fixture(scope='module')
def like():
  return pretrained.shapes_of('lpips_alex')


def _vouch(files):
  return [convert.hash_file(file) for file in files]


def _convert(files, output, like, vouched=None):
  vouched = _vouch(files) if vouched is None else vouched
  return convert.convert('lpips_alex_torch', files, output, like, vouched)


def test_the_file_says_what_it_is(files, like, tmp_path):
  output = tmp_path / 'new' / 'folder' / 'lpips.safetensors'
  _convert(files, output, like)
  weights = store.load(output, 'lpips_alex', like)
  assert weights.convention == convention.LPIPS
  assert weights.metadata['network'] == 'lpips_alex'
  assert weights.metadata['sha256'].split() == _vouch(files)
  assert weights.metadata['verified_by'] == store.USER
  assert 'BSD' in weights.metadata['licence']
  assert 'alexnet-owt-7be5be79.pth' in weights.metadata['source']
  kernel = published.draw(published.alexnet_features())['features.3.weight']
  found = weights.params['conv2']['kernel']
  np.testing.assert_array_equal(found, kernel.transpose(2, 3, 1, 0))
  assert os.listdir(output.parent) == [output.name]
  assert stat.S_IMODE(output.stat().st_mode) == 0o644


def test_a_hash_of_the_publisher_needs_no_word_of_the_user(
  files, like, tmp_path, monkeypatch
):
  source = sources.SOURCES['lpips_alex_torch']
  first, second = _vouch(files)
  parts = (
    source.parts[0]._replace(sha256=first[:8]),
    source.parts[1]._replace(sha256=second),
  )
  monkeypatch.setitem(
    sources.SOURCES, 'lpips_alex_torch', source._replace(parts=parts)
  )
  metadata = _convert(files, tmp_path / 'a.safetensors', like, [])
  assert metadata['verified_by'] == store.PUBLISHER
  # One file of two that is not the published one: the user's word is needed.
  parts = (parts[0], parts[1]._replace(sha256='0' * 64))
  monkeypatch.setitem(
    sources.SOURCES, 'lpips_alex_torch', source._replace(parts=parts)
  )
  with pytest.raises(UserError, match=f'add --sha256={second}'):
    _convert(files, tmp_path / 'b.safetensors', like, [])
  metadata = _convert(files, tmp_path / 'b.safetensors', like, [second])
  assert metadata['verified_by'] == store.USER


def test_other_files_are_refused_and_leave_nothing(files, like, tmp_path):
  output = tmp_path / 'x.safetensors'
  first, second = _vouch(files)
  cases = [
    ([], 'SHA-256 .* publisher gives 7be5be79... .the first digits.'),
    ([first], 'publisher gives df73285e35b22355a2df87cdb6b70b343713b667edd'),
    ([first, second, '0' * 64], '--sha256=0+: not that of'),
    (['ABC'], '--sha256=ABC: 64 hexadecimal digits'),
  ]
  for vouched, message in cases:
    with pytest.raises(UserError, match=message) as caught:
      _convert(files, output, like, vouched)
    assert '\n' not in str(caught.value)
  with pytest.raises(UserError, match='1 given; lpips_alex_torch is made from'):
    _convert(files[:1], output, like)
  with pytest.raises(UserError, match='tensor features.0.weight is missing'):
    _convert(files[::-1], output, like)
  assert not list(tmp_path.iterdir())


def test_another_known_file_is_named(files):
  part = sources.SOURCES['vgg19'].parts[0]
  other = 'dcbb9e9d' + '0' * 56  # as torchvision's begins
  with pytest.raises(UserError, match='file of vgg19_torchvision, not of vgg1'):
    convert.check_hash('x.pth', 'vgg19', part, other, [])


def test_known_hashes_are_hashes():
  for name, source in sources.SOURCES.items():
    for part in source.parts:
      assert not set(part.sha256) - set('0123456789abcdef'), name
      assert len(part.sha256) in (0, 8, 64), name
      # Where it is a prefix, it is the one that the file is named by.
      if len(part.sha256) == 8:
        assert part.sha256 in part.url.rsplit('/', 1)[-1]


@pytest.mark.parametrize(
  'change, message',
  [
    (lambda t: t.pop('network'), None),
    (lambda t: t.pop('convention'), 'hold no input convention'),
    (lambda t: t.update(network='vgg19'), "of 'vgg19'; lpips_alex is needed"),
    (lambda t: t.update(convention='{}'), 'convention .* is damaged'),
    (lambda t: t.update(convention='[1]'), 'convention .* is damaged'),
    (lambda t: t.update(convention='[' * 9999), 'convention .* is damaged'),
  ],
)
def test_metadata_are_checked(files, like, tmp_path, change, message):
  path = tmp_path / 'x.safetensors'
  metadata = _convert(files, path, like)
  params = store.load(path, 'lpips_alex', like).params
  change(metadata)
  store.tensors.save_tree(str(path), params, metadata)
  if message is None:
    store.load(path, 'lpips_alex', like)
    return
  with pytest.raises(UserError, match=message) as caught:
    store.load(path, 'lpips_alex', like)
  assert str(path) in str(caught.value)


@pytest.mark.parametrize(
  'field, value',
  [
    ('channels', 'GBR'),
    ('low', 1),
    ('high', None),
    ('high', True),
    ('mean', [0, 0]),
    ('std', [1, 0, 1]),
    ('std', ['1', 1, 1]),
  ],
)
def test_a_convention_that_makes_no_sense_is_refused(field, value):
  given = json.loads(convention.TORCHVISION.to_json())
  assert convention.from_json('x', json.dumps(given)) == convention.TORCHVISION
  with pytest.raises(UserError, match='x: the input convention'):
    convention.from_json('x', json.dumps({**given, field: value}))


def test_weights_that_are_nowhere_say_what_to_run(tmp_path, monkeypatch):
  monkeypatch.setenv(store.FOLDER_VARIABLE, str(tmp_path))
  with pytest.raises(UserError) as caught:
    store.find('arcface_r50')
  assert str(caught.value) == (
    f'arcface_r50: no weights at {tmp_path}/arcface_r50.safetensors; run'
    ' python -m launch.weights --fetch=arcface_r50, or --convert=FILE'
    ' --as=arcface_r50 with a file you have'
  )


def test_a_file_that_is_missing_says_what_makes_it(tmp_path):
  path = tmp_path / 'v.safetensors'
  with pytest.raises(UserError) as caught:
    store.load(path, 'vgg19', like={})
  assert str(caught.value) == (
    f'{path}: no such file; python -m launch.weights --fetch=vgg19'
    f' --output={path} makes it'
  )


def test_foreign_files_are_read_with_care(files, tmp_path, monkeypatch):
  def refuse(path, message):
    with pytest.raises(UserError, match=message) as caught:
      foreign.read(str(path))
    assert str(path) in str(caught.value) and '\n' not in str(caught.value)

  (tmp_path / 'x.pkl').write_bytes(b'')
  refuse(tmp_path / 'x.pkl', 'not a weight file; one of .pth, .pt, .onnx')
  refuse(tmp_path / 'absent.pth', 'no such file')
  (tmp_path / 'x.safetensors').write_bytes(b'\xff' * 64)
  refuse(tmp_path / 'x.safetensors', 'cannot be read as weights')
  save_file({'x': np.array([np.nan])}, tmp_path / 'nan.safetensors')
  refuse(tmp_path / 'nan.safetensors', 'x holds numbers that are not finite')
  save_file({'x': np.array([1])}, tmp_path / 'int.safetensors')
  refuse(tmp_path / 'int.safetensors', 'holds 0 tensors')
  monkeypatch.setattr(foreign, 'MAX_FILE_BYTES', 100)
  refuse(files[0], 'larger than')


@pytest.mark.parametrize(
  'name, package', [('x.pth', 'torch'), ('x.h5', 'h5py')]
)
def test_a_missing_package_is_named(tmp_path, monkeypatch, name, package):
  def missing(module):
    raise ImportError(module)

  (tmp_path / name).write_bytes(b'1234')
  monkeypatch.setattr(foreign.importlib, 'import_module', missing)
  with pytest.raises(
    UserError, match=f'needs {package}.*pip install {package}'
  ):
    foreign.read(str(tmp_path / name))
