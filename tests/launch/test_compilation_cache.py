"""Compiled programs are kept, in bounds, and where they may be."""

import os

import pytest

from launch import _compilation_cache

NAME = 'JAX_COMPILATION_CACHE_DIR'


@pytest.fixture(autouse=True)
def nobody_names_a_folder(monkeypatch, tmp_path):
  monkeypatch.setenv(NAME, '')  # what it was comes back after the test
  monkeypatch.delenv(NAME)
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))


def test_programs_are_kept_for_this_kind_of_processor(tmp_path, monkeypatch):
  _compilation_cache.configure()
  (folder,) = (tmp_path / 'cache' / 'flaxheads' / 'jax').iterdir()
  assert os.environ[NAME] == str(folder)
  assert folder.stat().st_mode & 0o77 == 0
  monkeypatch.setattr(_compilation_cache.platform, 'machine', lambda: 'another')
  assert _compilation_cache._processor() != folder.name


def test_another_folder_is_left_to_the_user(monkeypatch, tmp_path):
  monkeypatch.setenv(NAME, 'mine')
  _compilation_cache.configure()
  assert os.environ[NAME] == 'mine'
  assert not (tmp_path / 'cache').exists()


def test_where_nothing_can_be_kept_nothing_is(tmp_path):
  (tmp_path / 'cache').write_text('a file')
  _compilation_cache.configure()
  assert NAME not in os.environ


def test_the_oldest_programs_go(tmp_path):
  for age, name in enumerate(('new', 'middle', 'old')):
    path = tmp_path / name
    path.write_bytes(b'x' * 100)
    os.utime(path, (1e9 - age, 1e9 - age))
  _compilation_cache.prune(tmp_path, 250)
  assert {path.name for path in tmp_path.iterdir()} == {'new', 'middle'}
  _compilation_cache.prune(tmp_path, 250)
  assert len(list(tmp_path.iterdir())) == 2
