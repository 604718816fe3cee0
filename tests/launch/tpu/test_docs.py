"""What docs/tpu.md tells to type can be typed."""

import re
import shlex

import pytest

from launch.tpu import _types
from tests.launch.commands import ROOT, call
from tests.launch.tpu import standin

TEXT = (ROOT / 'docs' / 'tpu.md').read_text()
BLOCKS = re.findall(r'^```sh\n(.*?)^```', TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = [
  words[2:]
  for block in BLOCKS
  for line in block.replace('\\\n', ' ').splitlines()
  if (words := shlex.split(line))[:2] == ['python', '-m']
]


@pytest.mark.parametrize('command', COMMANDS, ids=lambda words: words[0])
def test_the_commands_can_be_typed(command, no_gcloud, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  module, *arguments = command
  assert module.startswith('launch.tpu.')
  if module != 'launch.tpu.jobset':  # which runs nothing anyway
    arguments.append('--dry_run')
  done = call(module.removeprefix('launch.'), *arguments)
  assert (done.code, done.err) == (0, '')
  for line in done.out.splitlines():
    if line.startswith('gcloud'):
      standin.parse(shlex.split(line)[1:])


def test_every_command_is_told_of():
  files = (ROOT / 'launch' / 'tpu').glob('[!_]*.py')
  assert {command[0] for command in COMMANDS} == {
    f'launch.tpu.{path.stem}' for path in files
  }


def test_the_table_of_types_is_right():
  rows = re.findall(r'^\| `(\S+)`[^|]*\| (\d+) \| (\d+) \|', TEXT, re.MULTILINE)
  assert len(rows) == 4
  for name, chips, hosts in rows:
    kind = _types.for_cloud_tpu(name)
    assert (kind.chips, kind.hosts) == (int(chips), int(hosts))
