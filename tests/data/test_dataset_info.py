"""Datasets of strangers import nothing, and open nothing else."""

import json
import re
import shutil

import pytest

from flaxheads.data import pipeline
from flaxheads.errors import UserError
from tests.data import prepared


@pytest.fixture(scope='module')
def good(tmp_path_factory):
  folder = tmp_path_factory.mktemp('good')
  prepared.write(folder, 'a', {'train': [prepared.make_record(0)]})
  return folder


@pytest.fixture
def copy(good, tmp_path):
  shutil.copytree(good, tmp_path / 'data')
  assert len(pipeline.make_source('a', tmp_path / 'data', 'train')) == 1
  return tmp_path / 'data'


def _refused(folder, message):
  for opening in (
    lambda: pipeline.make_source('a', folder, 'train'),
    lambda: pipeline.open_splits('a', folder),
  ):
    with pytest.raises(UserError, match=message) as caught:
      opening()
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('key', ['pythonClassName', 'python_class_name'])
def test_no_module_is_imported(key, copy, tmp_path, monkeypatch):
  """Not even one that lies where Python looks."""
  monkeypatch.syspath_prepend(tmp_path)
  (tmp_path / 'evil_features.py').write_text(
    f'open({str(tmp_path / "imported")!r}, "w")\n'
  )
  path = copy / 'a' / '1.0.0' / 'features.json'
  features = json.loads(path.read_text())
  inner = features['featuresDict']['features']['video_id']
  del inner['pythonClassName']
  inner[key] = 'evil_features.Feature'
  path.write_text(json.dumps(features))
  _refused(copy, "features.json: names 'evil_features.Feature'")
  assert not (tmp_path / 'imported').exists()


@pytest.mark.parametrize(
  'template', ['../../x-{SHARD_X_OF_Y}', '/etc/{SPLIT}', '..', None, ['/x']]
)
def test_no_file_elsewhere_is_opened(template, copy):
  path = copy / 'a' / '1.0.0' / 'dataset_info.json'
  info = json.loads(path.read_text())
  info['splits'][0]['filepathTemplate'] = template
  path.write_text(json.dumps(info))
  _refused(copy, re.escape('names a file outside of its folder'))


@pytest.mark.parametrize('name', ['features.json', 'dataset_info.json'])
def test_descriptions_have_limits(name, copy):
  path = copy / 'a' / '1.0.0' / name
  path.write_text('[' * 100_000)
  _refused(copy, f'{name}: is not valid JSON')
  path.write_bytes(b' ' * ((1 << 20) + 1))
  _refused(copy, f'{name}: larger than 1 MiB')
