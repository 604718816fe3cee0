"""Landmark files: good ones come back, bad ones are refused in a line."""

import numpy as np
import pytest

from flaxheads.errors import UserError
from flaxheads.landmarks import files


def _points(num_frames=3):
  return np.random.default_rng(0).uniform(0, 200, (num_frames, 68, 2))


def test_round_trip(tmp_path):
  points, times = _points().astype(np.float32), np.array([0.0, 0.04, 0.1])
  points[1] = np.nan  # a frame without a face
  files.save_landmarks(tmp_path / 'a.npz', points, times)
  loaded = files.load_landmarks(tmp_path / 'a.npz')
  np.testing.assert_array_equal(loaded.points, points)
  np.testing.assert_array_equal(loaded.times, times)
  files.save_landmarks(tmp_path / 'b.npz', points)
  assert files.load_landmarks(tmp_path / 'b.npz').times is None


def _partly_nan():
  points = _points()
  points[0, 5] = np.nan
  return points


@pytest.mark.parametrize(
  ('arrays', 'message'),
  [
    ({'landmarks': _points()}, 'no array named points'),
    ({'points': _points()[0]}, r'shape \(68, 2\)'),
    ({'points': _points()[:, :67]}, r'\[F, 68, 2\] is needed'),
    ({'points': _points(0)}, r'shape \(0, 68, 2\)'),
    ({'points': _points().astype(complex)}, 'not real numbers'),
    ({'points': _partly_nan()}, 'finite'),
    ({'points': _points() * 1e9}, 'finite pixel'),
    ({'points': np.zeros((2, 68, 2))}, 'lie in one place'),
    ({'points': _points(), 'times': np.zeros(4)}, r'shape \(4,\)'),
    ({'points': _points(), 'times': np.zeros(3)}, 'rising'),
    ({'points': np.array([{}])}, 'plain numbers'),  # would be unpickled
  ],
)
def test_bad_contents(tmp_path, arrays, message):
  np.savez(tmp_path / 'bad.npz', **arrays)
  with pytest.raises(UserError, match=message) as error:
    files.load_landmarks(tmp_path / 'bad.npz')
  assert 'bad.npz' in str(error.value) and '\n' not in str(error.value)


def test_bad_files(tmp_path, monkeypatch):
  with pytest.raises(UserError, match='no such landmarks file'):
    files.load_landmarks(tmp_path / 'none.npz')
  (tmp_path / 'text.npz').write_text('hello')
  with pytest.raises(UserError, match='not an .npz file'):
    files.load_landmarks(tmp_path / 'text.npz')
  np.savez_compressed(tmp_path / 'bomb.npz', points=np.zeros((500, 68, 2)))
  monkeypatch.setattr(files, 'MAX_BYTES', 10_000)
  with pytest.raises(UserError, match='unpacks to more than'):
    files.load_landmarks(tmp_path / 'bomb.npz')
