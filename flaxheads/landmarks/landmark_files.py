"""Reads and writes landmarks: .npz files of `points` and optional `times`.

Files of other tools are read, too: arrays (.npy), such as face_alignment's, and
tables of OpenFace (.csv).
"""

import csv
import os
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from flaxheads.errors import ARCHIVE_ERRORS, UserError
from flaxheads.landmarks import layout

EXTENSIONS = frozenset(('.npz', '.npy', '.csv'))
MAX_BYTES = 1 << 30  # unpacked
# Far outside of any image: detects other units and damaged files.
_MAX_COORDINATE = 1e5


class Landmarks(NamedTuple):
  """points: float32 [F, 68, 2] in pixels, NaN in frames without a face.

  times: float64 [F] in seconds, or None where the file has none.
  """

  points: np.ndarray
  times: np.ndarray | None


def save_landmarks(
  path: str | os.PathLike, points: np.ndarray, times: np.ndarray | None = None
) -> None:
  """Writes points [F, 68, 2] (and times [F]) to `path`, an .npz file."""
  arrays = {'points': np.asarray(points, np.float32)}
  if times is not None:
    arrays['times'] = np.asarray(times, np.float64)
  with open(path, 'wb') as file:
    np.savez_compressed(file, **arrays)


def load_landmarks(path: str | os.PathLike) -> Landmarks:
  """Reads and checks landmarks from an untrusted file.

  Args:
    path: of EXTENSIONS. An .npz file has `points`, real numbers [F, 68, 2] in
      pixels of the image; a frame of NaN has no face; `times` [F] is optional,
      increasing. An .npy file is such points. Both may have a third coordinate,
      which is ignored, and one frame may come without the first axis. A .csv
      file is OpenFace's.

  Returns:
    The landmarks.

  Raises:
    UserError: the file is missing or of another format, or has wrong shapes or
      values.
  """
  path = Path(path)
  if not path.is_file():
    raise UserError(f'{path}: no such landmarks file; give an .npz')
  readers = {'.npy': _read_array, '.csv': _read_openface}
  points, times = readers.get(path.suffix.lower(), _read_archive)(path)
  if points.ndim in (2, 3) and points.shape[-2:] == (layout.NUM_POINTS, 3):
    points = points[..., :2]
  if points.shape == (layout.NUM_POINTS, 2):
    points = points[None]
  _check_points(path, points)
  if times is not None:
    _check_times(path, times, len(points))
    times = times.astype(np.float64)
  return Landmarks(points.astype(np.float32), times)


def _read_archive(path: Path):
  try:
    with zipfile.ZipFile(path) as archive:
      size = sum(entry.file_size for entry in archive.infolist())
    if size > MAX_BYTES:
      raise UserError(f'{path}: unpacks to more than {MAX_BYTES >> 30} GiB')
    with np.load(path, allow_pickle=False) as file:
      # NumPy returns bytes for a member that is not an array.
      arrays = {
        k: np.asarray(file[k]) for k in ('points', 'times') if k in file
      }
  except UserError:
    raise
  except ARCHIVE_ERRORS as error:
    raise UserError(
      f'{path}: not an .npz file of plain numbers; write it with'
      ' numpy.savez(path, points=points)'
    ) from error
  if 'points' not in arrays:
    raise UserError(
      f'{path}: has no array named points; write it with'
      ' numpy.savez(path, points=points)'
    )
  return arrays['points'], arrays.get('times')


def _check_size(path: Path):
  if path.stat().st_size > MAX_BYTES:
    raise UserError(f'{path}: has more than {MAX_BYTES >> 30} GiB')


def _read_array(path: Path):
  _check_size(path)
  try:
    # A mapping of a damaged header's size fails before memory is allocated.
    array = np.lib.format.open_memmap(path, mode='r')
    return np.array(array), None
  except ARCHIVE_ERRORS as error:
    raise UserError(
      f'{path}: not an .npy file of plain numbers; write it with'
      ' numpy.save(path, points)'
    ) from error


def _read_openface(path: Path):
  """Points and times of the first face in each frame of an OpenFace table."""
  _check_size(path)
  names = [f'{axis}_{i}' for i in range(layout.NUM_POINTS) for axis in 'xy']
  frames, times = {}, {}
  try:
    with path.open(newline='', encoding='utf-8') as file:
      rows = csv.reader(file, skipinitialspace=True)
      header = next(rows, [])
      columns = {name.strip(): i for i, name in enumerate(header)}
      places = [columns[name] for name in names]
      for number, row in enumerate(rows):
        frame = int(row[columns['frame']]) if 'frame' in columns else number
        if frame in frames:
          continue  # another face
        absent = 'success' in columns and float(row[columns['success']]) == 0
        values = [np.nan if absent else float(row[i]) for i in places]
        frames[frame] = np.reshape(values, (layout.NUM_POINTS, 2))
        times[frame] = float(row[columns['timestamp']])
  except (KeyError, IndexError, ValueError, csv.Error) as error:
    raise UserError(
      f"{path}: is not OpenFace's table of 2D landmarks (x_0 to y_67); write"
      ' it with FeatureExtraction -2Dfp, or give an .npz'
    ) from error
  if not frames:
    raise UserError(f'{path}: has no frame; give the landmarks of a video')
  stamps = np.array(list(times.values()))
  timed = len(stamps) > 1 and (np.diff(stamps) > 0).all()  # 0 for images
  return np.stack(list(frames.values())), stamps if timed else None


def _check_points(path, points):
  expected = (layout.NUM_POINTS, 2)
  if points.ndim != 3 or points.shape[1:] != expected or not len(points):
    raise UserError(
      f'{path}: points has shape {points.shape}; [F, 68, 2] is needed'
    )
  if points.dtype.kind not in 'fiu':
    raise UserError(f'{path}: points are {points.dtype}, not real numbers')
  points = points.astype(np.float64)
  absent = np.isnan(points).all((1, 2))
  points = points[~absent]
  if not np.isfinite(points).all() or np.abs(points).max(initial=0) > (
    _MAX_COORDINATE
  ):
    raise UserError(
      f'{path}: points must be finite pixel coordinates, or NaN for all 68'
      ' points of a frame without a face'
    )
  if (np.ptp(points, axis=1).max(1) <= 0).any():
    raise UserError(
      f'{path}: all 68 points of a frame lie in one place; give those of a face'
    )


def _check_times(path, times, num_frames):
  if times.shape != (num_frames,) or times.dtype.kind not in 'fiu':
    raise UserError(
      f'{path}: times has shape {times.shape}; [{num_frames}] real numbers, as'
      ' many as points, are needed'
    )
  if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
    raise UserError(f'{path}: times must be finite and rising')
