"""Notebooks as files: no output in git, one address, API that exists."""

import ast
import json
import pathlib

import pytest

import flaxheads

ROOT = pathlib.Path(__file__).resolve().parent.parent
COLAB = ROOT / 'colab'
# The repository's one address; the notebooks and their badges use it.
REPOSITORY = 'https://github.com/flaxheads/flaxheads'
MAX_KEPT = 60_000  # bytes of an output that is kept
NOTEBOOKS = sorted(path.stem for path in COLAB.glob('*.ipynb'))


def _cells(name):
  notebook = json.loads((COLAB / f'{name}.ipynb').read_text(encoding='utf-8'))
  return [c for c in notebook['cells'] if c['cell_type'] == 'code']


def test_they_are_all_there():
  assert NOTEBOOKS == ['evaluation', 'few_shot_demo', 'meta_training']
  readme = (COLAB / 'README.md').read_text(encoding='utf-8')
  for name in NOTEBOOKS:
    assert f'{name}.ipynb' in readme


@pytest.mark.parametrize('name', NOTEBOOKS)
def test_only_a_small_image_is_kept(name):
  """Of the examples, in cells with a tag that says so."""
  for cell in _cells(name):
    assert cell['execution_count'] is None
    if 'kept' not in cell['metadata'].get('tags', ()):
      assert not cell['outputs']
      continue
    (output,) = cell['outputs']
    assert set(output['data']) == {'image/jpeg'}
    assert len(json.dumps(output)) < MAX_KEPT


@pytest.mark.parametrize('name', NOTEBOOKS)
def test_a_badge_opens_the_notebook_in_colab(name):
  notebook = json.loads((COLAB / f'{name}.ipynb').read_text(encoding='utf-8'))
  path = REPOSITORY.removeprefix('https://github.com/')
  colab = 'https://colab.research.google.com'
  link = f'({colab}/github/{path}/blob/main/colab/{name}.ipynb)'
  badge = f'[![Open in Colab]({colab}/assets/colab-badge.svg)]'
  first = notebook['cells'][0]['source'][0]
  assert first.startswith(badge) and link in first
  assert link in (COLAB / 'README.md').read_text(encoding='utf-8')


@pytest.mark.parametrize('name', NOTEBOOKS)
def test_what_they_use_of_the_package_is_public(name):
  for cell in _cells(name):
    for node in ast.walk(ast.parse(''.join(cell['source']))):
      if isinstance(node, ast.Attribute) and ast.unparse(node.value) == (
        'flaxheads'
      ):
        assert node.attr in flaxheads.__all__, node.attr


def test_they_are_set_up_alike():
  """But for the extras of setup.cfg that they install."""
  setups = set()
  for name in NOTEBOOKS:
    lines = _cells(name)[0]['source']
    assert f"REPOSITORY = '{REPOSITORY}'" in ''.join(lines)
    setups.add(''.join(x for x in lines if not x.startswith('EXTRAS =')))
  assert len(setups) == 1
