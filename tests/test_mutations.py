"""The proof of the mistakes still fits the source."""

import pathlib

import pytest

from launch.proofs._mutations import MUTATIONS

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.mark.parametrize('mutation', MUTATIONS, ids=lambda m: m.what)
def test_every_mistake_can_be_made(mutation):
  source = (ROOT / mutation.path).read_text(encoding='utf-8')
  assert source.count(mutation.old) == 1
  assert mutation.new != mutation.old


def test_all_fifteen_are_there():
  assert {mutation.number for mutation in MUTATIONS} == set(range(1, 16))
