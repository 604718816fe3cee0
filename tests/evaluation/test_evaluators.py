"""Networks as flags ask for them: found, refused, left out, or random."""

import pytest

from flaxheads.errors import UserError
from flaxheads.evaluation import evaluators
from flaxheads.metrics import networks
from flaxheads.weights import convention, store


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
  monkeypatch.setenv(store.FOLDER_VARIABLE, str(tmp_path))
  return tmp_path


def _save(path, **others):
  params = networks.random_params('lpips_alex', seed=1)
  store.save(path, 'lpips_alex', params, convention.LPIPS, **others)


def test_without_weights_a_metric_is_absent_and_words_say_so():
  for kind, (names, measures) in evaluators.KINDS.items():
    network, why = evaluators.load_network(kind)
    assert network is None
    assert measures in why and f'--fetch={names[0]}' in why
    network, why = evaluators.load_network(kind, 'none')
    assert network is None and f'--{kind}=none' in why


def test_weights_are_found_where_they_are_put(folder):
  _save(store.default_path('lpips_alex'), verified_by=store.PUBLISHER)
  network, why = evaluators.load_network('lpips')
  assert (network.name, network.mark, network.warning) == ('lpips_alex', '', '')
  assert not why
  assert evaluators.marked_name('lpips', network) == 'lpips'
  _save(folder / 'mine.safetensors', verified_by=store.USER)
  mine, _ = evaluators.load_network('lpips', str(folder / 'mine.safetensors'))
  assert mine.mark == networks.UNVERIFIED and mine.warning
  assert evaluators.marked_name('lpips', mine) == 'lpips_unverified_weights'
  assert len({network.digest, mine.digest, ''}) == 3


def test_wrong_files_are_one_line_that_says_what_to_run(folder):
  missing = folder / 'missing.safetensors'
  with pytest.raises(
    UserError, match='--inception=.*no such file.*--fetch=inc'
  ):
    evaluators.load_network('inception', str(missing))
  _save(folder / 'x.safetensors')
  with pytest.raises(
    UserError, match="'lpips_alex'; arcface_r50 or arcface_r1"
  ):
    evaluators.load_network('arcface', str(folder / 'x.safetensors'))
  (folder / 'y.safetensors').write_bytes(b'hello')
  with pytest.raises(UserError, match='y.safetensors'):
    evaluators.load_network('lpips', str(folder / 'y.safetensors'))


def test_random_weights_are_marked():
  network, why = evaluators.load_network('lpips', 'random')
  assert network.mark == networks.RANDOM and not why
  assert evaluators.marked_name('lpips', network) == 'lpips_random_weights'
  made = evaluators.Evaluators(lpips=network)
  assert 'random weights' in made.warnings[0]
  assert made.identify()['networks'] == [
    ['lpips_alex', 'random weights', 'random 0']
  ]


def test_no_model_no_critic():
  assert evaluators.make_critic(None, '')[0] is None
  assert 'no model' in evaluators.make_critic(None, '')[1]
