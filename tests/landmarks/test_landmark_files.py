"""Landmark files: good ones come back, bad ones are refused in a line."""

import io
import pathlib
import zipfile

import numpy as np
import pytest

from flaxheads.errors import UserError
from flaxheads.landmarks import landmark_files


def _points(num_frames=3):
  return np.random.default_rng(0).uniform(0, 200, (num_frames, 68, 2))


def test_round_trip(tmp_path):
  points, times = _points().astype(np.float32), np.array([0.0, 0.04, 0.1])
  points[1] = np.nan  # a frame without a face
  landmark_files.save_landmarks(tmp_path / 'a.npz', points, times)
  loaded = landmark_files.load_landmarks(tmp_path / 'a.npz')
  np.testing.assert_array_equal(loaded.points, points)
  np.testing.assert_array_equal(loaded.times, times)
  landmark_files.save_landmarks(tmp_path / 'b.npz', points)
  assert landmark_files.load_landmarks(tmp_path / 'b.npz').times is None


def _partly_nan():
  points = _points()
  points[0, 5] = np.nan
  return points


@pytest.mark.parametrize(
  ('arrays', 'message'),
  [
    ({'landmarks': _points()}, 'no array named points'),
    ({'points': _points()[0, 0]}, r'shape \(2,\)'),
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
    landmark_files.load_landmarks(tmp_path / 'bad.npz')
  assert 'bad.npz' in str(error.value) and '\n' not in str(error.value)


def test_bad_files(tmp_path, monkeypatch):
  with pytest.raises(UserError, match='no such landmarks file'):
    landmark_files.load_landmarks(tmp_path / 'none.npz')
  (tmp_path / 'text.npz').write_text('hello')
  with pytest.raises(UserError, match='not an .npz file'):
    landmark_files.load_landmarks(tmp_path / 'text.npz')
  np.savez_compressed(tmp_path / 'bomb.npz', points=np.zeros((500, 68, 2)))
  monkeypatch.setattr(landmark_files, 'MAX_BYTES', 10_000)
  with pytest.raises(UserError, match='unpacks to more than'):
    landmark_files.load_landmarks(tmp_path / 'bomb.npz')


@pytest.mark.parametrize('shape', [(3, 68, 2), (3, 68, 3), (68, 2), (68, 3)])
@pytest.mark.parametrize('suffix', ['npy', 'npz'])
def test_arrays_of_other_tools(tmp_path, shape, suffix):
  points = np.random.default_rng(0).uniform(0, 200, shape)
  path = tmp_path / f'a.{suffix}'
  if suffix == 'npy':
    np.save(path, points)
  else:
    np.savez(path, points=points)
  loaded = landmark_files.load_landmarks(path)
  expected = points.reshape(-1, 68, shape[-1])[..., :2].astype(np.float32)
  np.testing.assert_array_equal(loaded.points, expected)
  assert loaded.times is None


@pytest.mark.parametrize('still', [False, True])
def test_tables_of_openface(tmp_path, still):
  points = _points(4).round(1)
  header = ['frame', ' face_id', ' timestamp', ' confidence', ' success']
  header += [f' gaze_{i}' for i in range(3)]
  header += [f' x_{i}' for i in range(68)] + [f' y_{i}' for i in range(68)]
  lines = [','.join(header)]
  for i, face in enumerate(points):
    for face_id in (0, 1):  # the second face is somebody else
      time, found = 0 if still else i / 25, int(i != 2)
      xy = (face + 500 * face_id).T.ravel()
      row = [i + 1, face_id, time, 0.9, found, 0, 0, 0, *xy]
      lines.append(', '.join(map(str, row)))
  (tmp_path / 'a.csv').write_text('\n'.join(lines) + '\n')
  loaded = landmark_files.load_landmarks(tmp_path / 'a.csv')
  points[2] = np.nan
  np.testing.assert_allclose(loaded.points, points, rtol=1e-6)
  if still:
    assert loaded.times is None
  else:
    np.testing.assert_allclose(loaded.times, np.arange(4) / 25)


@pytest.mark.parametrize(
  ('name', 'content', 'message'),
  [
    ('a.csv', b'video,identity\na,b\n', 'OpenFace'),
    ('a.csv', b'', 'OpenFace'),
    ('a.csv', b'\xff\xfe\x00', 'OpenFace'),
    ('a.npy', b'nothing', 'not an .npy file'),
    ('a.npy', b'\x93NUMPY\x01\x00', 'not an .npy file'),
  ],
)
def test_bad_files_of_other_tools(tmp_path, name, content, message):
  (tmp_path / name).write_bytes(content)
  with pytest.raises(UserError, match=message) as error:
    landmark_files.load_landmarks(tmp_path / name)
  assert '\n' not in str(error.value)


def test_an_array_that_claims_to_be_huge(tmp_path):
  np.save(tmp_path / 'a.npy', np.zeros((1, 68, 2)))
  data = (tmp_path / 'a.npy').read_bytes()
  data = data.replace(b'(1, 68, 2), }      ', b'(9999999, 68, 2), }')
  (tmp_path / 'a.npy').write_bytes(data)
  with pytest.raises(UserError, match='not an .npy file'):
    landmark_files.load_landmarks(tmp_path / 'a.npy')


class _Bomb:
  """Makes a file when it is unpickled."""

  def __init__(self, path):
    self.path = str(path)

  def __reduce__(self):
    return pathlib.Path.touch, (pathlib.Path(self.path),)


def test_a_pickle_does_not_go_off(tmp_path):
  path, canary = tmp_path / 'bomb.npz', tmp_path / 'canary'
  np.savez(path, points=np.array([_Bomb(canary)]))
  with pytest.raises(UserError, match='plain numbers'):
    landmark_files.load_landmarks(path)
  assert not canary.exists()
  np.load(path, allow_pickle=True)['points']  # it is one
  assert canary.exists()


def test_members_that_are_no_arrays(tmp_path):
  """Found by coverage-guided fuzzing."""
  endless = b"{'descr': ((("
  header = b'\x93NUMPY\x01\x00' + len(endless).to_bytes(2, 'little')
  for member in (header + endless, b'no array'):
    with zipfile.ZipFile(tmp_path / 'bad.npz', 'w') as archive:
      archive.writestr('points.npy', member)
    with pytest.raises(UserError, match='bad.npz'):
      landmark_files.load_landmarks(tmp_path / 'bad.npz')


def _header(data, offset, value):
  """A zip archive with two bytes of its only entry changed, in both places."""
  data = bytearray(data)
  for begin, shift in ((data.index(b'PK\3\4'), 0), (data.index(b'PK\1\2'), 2)):
    at = begin + offset + shift
    data[at : at + 2] = value
  return bytes(data)


def _claimed(shape):
  """An archive whose array is said to be larger than it is."""
  array, packed = io.BytesIO(), io.BytesIO()
  np.save(array, np.zeros((1, 68, 2), np.float32))
  data = array.getvalue()
  old = b'(1, 68, 2), }'.ljust(len(shape) + 3)
  assert data.count(old) == 1
  with zipfile.ZipFile(packed, 'w') as archive:
    archive.writestr('points.npy', data.replace(old, shape + b', }'))
  return packed.getvalue()


@pytest.mark.parametrize(
  'spoil',
  [
    lambda data: _header(data, 4, b'\xdf\x7f'),  # of a later version
    lambda data: _header(data, 6, b'\x01\0'),  # encrypted
    lambda data: _header(data, 8, b'\x63\0'),  # packed in an unknown way
    lambda data: _header(data, 8, b'\x0e\0'),  # said to be LZMA
    lambda data: data[:80] + bytes(b ^ 255 for b in data[80:120]) + data[120:],
    lambda data: _claimed(b'(9999999999999, 68, 2)'),
    lambda data: _claimed(b'((), 68, 2)'),
    lambda data: _claimed(b'(-1, 68, 2)'),
  ],
)
def test_damaged_archives(spoil, tmp_path):
  path = tmp_path / 'a.npz'
  np.savez_compressed(path, points=_points())
  path.write_bytes(spoil(path.read_bytes()))
  with pytest.raises(UserError, match='a.npz: not an .npz file') as error:
    landmark_files.load_landmarks(path)
  assert '\n' not in str(error.value)
