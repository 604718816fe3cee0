"""The proofs of the mistakes still fit the source."""

import pathlib

import pytest

from launch.proofs import _metric_mutations
from launch.proofs._mutations import MUTATIONS

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
  'mutation',
  (*MUTATIONS, *_metric_mutations.MUTATIONS),
  ids=lambda m: m.what,
)
def test_every_mistake_can_be_made(mutation):
  source = (ROOT / mutation.path).read_text(encoding='utf-8')
  assert source.count(mutation.old) == 1
  assert mutation.new != mutation.old


def test_the_metrics_have_theirs():
  numbers = {m.number for m in _metric_mutations.MUTATIONS}
  source = (ROOT / _metric_mutations.FILE).read_text(encoding='utf-8')
  assert numbers == set(range(1, 16))
  for number in numbers:
    assert f'def test_metric_mistake_{number:02}_' in source


def test_all_fifteen_are_there():
  assert {mutation.number for mutation in MUTATIONS} == set(range(1, 16))
