"""The table of accelerator types."""

import math

import pytest

from flaxheads.errors import UserError
from launch.tpu import _types
from tests.launch.tpu import standin


@pytest.mark.parametrize(
  'name, chips, hosts',
  [
    ('v5litepod-8', 8, 1),
    ('v5litepod-64', 64, 16),
    ('v4-32', 16, 4),
    ('v6e-8', 8, 1),
  ],
)
def test_chips_and_hosts(name, chips, hosts):
  kind = _types.for_cloud_tpu(name)
  assert (kind.chips, kind.hosts) == (chips, hosts)


@pytest.mark.parametrize('name', _types.TYPES)
def test_the_table_is_consistent(name):
  kind = _types.TYPES[name]
  family, size = name.split('-')
  sides = [int(side) for side in kind.topology.split('x')]
  assert math.prod(sides) == kind.chips
  assert kind.hosts * kind.chips_per_host == kind.chips
  assert kind.chips_per_host in (4, 8)
  assert len(sides) == (2 if family in ('v5litepod', 'v6e') else 3)
  if family == 'v4':
    assert int(size) == 2 * kind.chips
  elif family == 'tpu7x':
    assert size == kind.topology
  else:
    assert int(size) == kind.chips


def test_what_gcloud_offers_is_what_the_stand_in_knows():
  offered = {k: v.hosts for k, v in _types.TYPES.items() if v.runtime_version}
  assert offered == standin.HOSTS
  assert {_types.TYPES[k].runtime_version for k in offered} == standin.RUNTIMES


def test_an_unknown_type_is_refused_with_the_known_ones():
  with pytest.raises(UserError, match="'v9-8' is not one of v4-8.*tpu7x-2x2x1"):
    _types.for_gke('v9-8')
  with pytest.raises(UserError, match="'v9-8' is not one of v4-8") as refusal:
    _types.for_cloud_tpu('v9-8')
  assert 'tpu7x' not in str(refusal.value)
