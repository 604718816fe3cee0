"""Evaluation by the command, of a model that never learned."""

import json

import pytest

from flaxheads.data.image import read_image
from tests.launch.commands import call, call_all


def _report(folder):
  return json.loads((folder / 'report.json').read_text())


def test_evaluation_measures_the_model(things, tmp_path):
  output = tmp_path / 'out'
  done = call(
    'evaluate',
    f'--model={things.model}',
    f'--source={things.video}',
    '--num_shots=1,2',
    '--methods=nearest,ff,ft',
    '--num_test_frames=3',
    '--nodetect',
    '--finetune.min_steps=2',
    '--finetune.max_steps=2',
    f'--output={output}',
  )
  assert done.code == 0, done.err
  report = _report(output)
  rows = [row for row in report['rows'] if row['method'] != 'real']
  assert {(row['num_shots'], row['method']) for row in rows} == {
    (t, method) for t in (1, 2) for method in ('nearest', 'ff', 'ft')
  }
  assert all(0 < row['psnr'] < 60 for row in rows)
  assert all(row['num_test_frames'] == 3 for row in rows)
  assert len({row['realism'] for row in report['rows']}) > 3
  assert any('without vgg19 and vggface' in w for w in report['warnings'])
  assert any('one person' in note for note in report['notes'])
  # The model's own settings, but for those that flags name.
  settings = report['settings']['finetune']
  assert (settings['max_steps'], settings['check_every']) == (2, 2)
  tuned = {row['num_shots']: row for row in rows if row['method'] == 'ft'}
  for told, (t, held_out) in zip(
    report['finetuning'], ((1, 0), (2, 0)), strict=True
  ):
    assert (told['num_shots'], told['num_validation_frames']) == (t, held_out)
    assert told['kept'] == {'video': tuned[t]['curve']['kept']}
    assert told['detector'] is None and 'CSIM' not in told['identity']
    assert [look['step'] for look in told['results']] == [0, 2]
  assert (output / 'report.html').read_text().count('data:image/svg+xml') == 2
  assert (output / 'table.md').read_text() in done.out
  assert read_image(output / 'comparison.png').size


def test_evaluation_does_not_depend_on_the_number_of_devices(things, tmp_path):
  def command(output):
    return (
      'evaluate',
      f'--model={things.model}',
      f'--source={things.video}',
      '--num_shots=2',
      '--methods=ff',
      '--lpips=random',
      '--num_test_frames=3',
      '--nodetect',
      f'--output={output}',
    )

  eight, one = tmp_path / 'eight', tmp_path / 'one'
  done = call(*command(eight))
  (other,), _ = call_all(command(one))
  assert (done.code, other.code) == (0, 0), done.err + other.err
  rows, others = (_report(output)['rows'] for output in (eight, one))
  assert [row['method'] for row in rows] == ['real', 'ff']
  for row, other in zip(rows, others, strict=True):
    numbers = {k: v for k, v in row.items() if isinstance(v, float)}
    assert {'psnr', 'ssim', 'lpips_random_weights', 'realism'} <= set(numbers)
    for name in set(numbers) - {'seconds'}:  # frames are rounded to 8 bits
      assert other[name] == pytest.approx(numbers[name], rel=1e-3, abs=2e-4)
