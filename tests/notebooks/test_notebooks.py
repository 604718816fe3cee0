"""The notebooks run from top to bottom in a clone, shortened."""

import os
import pathlib
import sys

import pytest

import flaxheads
from tests import tiny_game

reason = 'nbclient is not there; `make notebooks` brings it'
nbclient = pytest.importorskip('nbclient', reason=reason)
nbformat = pytest.importorskip('nbformat', reason=reason)

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECONDS = 1800  # of a cell
SHORTENED = {
  'few_shot_demo': {'NUM_STEPS': 2},
  'meta_training': {
    'NUM_PEOPLE': 2,
    'NUM_FRAMES': 4,
    'NUM_STEPS': 2,
    'CONFIG': 'configs/tiny.py',
    'FLAGS': ['--config.training.sample_every=1'],
  },
  'evaluation': {
    'NUM_PEOPLE': 2,
    'NUM_FRAMES': 8,
    'NUM_SHOTS': '2',
    'METHODS': 'nearest,mesh',
  },
}
LEFT = {
  'few_shot_demo': ['animation.mp4', 'fine_tuned.mp4', 'person/person.json'],
  'meta_training': ['model/model.json', 'run/samples/00000002.png'],
  'evaluation': ['report/report.json', 'report/comparison.png'],
}


def _run(name, output, monkeypatch):
  """The notebook with other numbers, its kernel's Python being ours."""
  notebook = nbformat.read(ROOT / 'colab' / f'{name}.ipynb', as_version=4)
  (place,) = (
    n
    for n, cell in enumerate(notebook.cells)
    if 'parameters' in cell.metadata.get('tags', ())
  )
  given = {**SHORTENED[name], 'OUTPUT': str(output)}
  if name == 'few_shot_demo':
    given['MODEL'] = str(output / 'tiny')
    model = tiny_game.make_model(tiny_game.make_config())
    flaxheads.save_model(given['MODEL'], model)
  lines = [f'{key} = {value!r}' for key, value in given.items()]
  for line in lines:  # no misspelt name goes unnoticed
    assert line.partition(' = ')[0] + ' =' in notebook.cells[place].source
  cell = nbformat.v4.new_code_cell('\n'.join(lines))
  notebook.cells.insert(place + 1, cell)
  kernels = output / 'jupyter' / 'kernels' / 'python3'
  kernels.mkdir(parents=True)
  (kernels / 'kernel.json').write_text(
    '{"display_name": "Python 3", "language": "python", "argv":'
    f' ["{sys.executable}", "-m", "ipykernel_launcher", "-f",'
    ' "{connection_file}"]}'
  )
  monkeypatch.setenv('JUPYTER_PATH', str(output / 'jupyter'))
  monkeypatch.setenv('MPLBACKEND', 'module://matplotlib_inline.backend_inline')
  client = nbclient.NotebookClient(
    notebook,
    timeout=SECONDS,
    resources={'metadata': {'path': str(ROOT / 'colab')}},
  )
  client.execute()
  return notebook


@pytest.mark.parametrize('name', sorted(SHORTENED))
def test_it_runs_from_top_to_bottom(name, tmp_path, monkeypatch):
  notebook = _run(name, tmp_path, monkeypatch)
  for left in LEFT[name]:
    assert (tmp_path / left).is_file(), os.listdir(tmp_path)
  kinds = {
    kind
    for cell in notebook.cells
    if cell.cell_type == 'code'
    for output in cell.outputs
    for kind in output.get('data', {})
  }
  assert 'image/png' in kinds
