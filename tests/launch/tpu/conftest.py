"""The stand-in for gcloud, first on PATH."""

import json
import os
import sys

import pytest

from tests.launch.commands import call
from tests.launch.tpu import standin

PLACE = ('--name=heads', '--zone=us-west4-a')
CODE = ('--repository=https://example.org/flaxheads.git', '--revision=v1')
TRAINING = ('--config=configs/tiny.py', '--workdir=gs://bucket/runs/heads')


class Cloud:
  """What is there, what was asked for."""

  def __init__(self, folder):
    self.folder = folder
    self.set(
      queued=None,
      node=None,
      coming=[],
      then=['WAITING_FOR_RESOURCES', 'PROVISIONING', 'ACTIVE'],
      service='service LoadState=not-found',
      type='v5litepod-8',
      fails=[],
    )

  def set(self, **values):
    path = self.folder / 'world.json'
    world = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(world | values))

  def calls(self):
    """What gcloud was called with since the last time, without its name."""
    path = self.folder / 'calls'
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return [json.loads(line) for line in lines]

  def verbs(self):
    """The same, shortened: 'create', 'ssh install'."""
    scripts = {
      'git fetch': ' install',
      'systemctl restart': ' start',
      'systemctl show': ' look',
      'systemctl disable': ' stop',
    }
    verbs = []
    for argv in self.calls():
      script = next((s for s in scripts if s in argv[-1]), None)
      verbs.append(argv[3] + scripts.get(script, ''))
    return verbs

  def run(self, name, *arguments):
    """Runs launch.tpu.NAME on the TPU of the tests."""
    return call(f'tpu.{name}', *PLACE, *arguments)


@pytest.fixture
def cloud(tmp_path, monkeypatch):
  folder = tmp_path / 'cloud'
  folder.mkdir()
  program = folder / 'bin' / 'gcloud'
  program.parent.mkdir()
  program.write_text(
    f'#!/bin/sh\nexec {sys.executable} -S {standin.__file__} "$@"\n'
  )
  program.chmod(0o755)
  monkeypatch.setenv('GCLOUD_STANDIN', str(folder))
  path = f'{program.parent}{os.pathsep}{os.environ["PATH"]}'
  monkeypatch.setenv('PATH', path)
  return Cloud(folder)


@pytest.fixture
def no_gcloud(tmp_path, monkeypatch):
  """A PATH without gcloud."""
  empty = tmp_path / 'empty'
  empty.mkdir()
  monkeypatch.setenv('PATH', str(empty))
