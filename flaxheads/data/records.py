"""One record per video: JPEG frames, points, gaze, times and ids.

A record holds up to `MAX_FRAMES` frames, spread over the whole video. Training
samples K+1 of them in every epoch and decodes only these.
"""

import cv2
import numpy as np
import tensorflow_datasets as tfds

from flaxheads.errors import UserError
from flaxheads.landmarks import layout

MAX_FRAMES = 64
RECORD_SIZE = 256  # pixels
MAX_SIZE = 4096  # pixels; larger values are treated as damage
JPEG_QUALITY = 92  # about 11 kB for a frame of 256 x 256

# libjpeg can downscale by these factors while decoding, which is faster.
_REDUCED = (
  (8, cv2.IMREAD_REDUCED_COLOR_8),
  (4, cv2.IMREAD_REDUCED_COLOR_4),
  (2, cv2.IMREAD_REDUCED_COLOR_2),
)


def features() -> tfds.features.FeaturesDict:
  """The features of a record for tensorflow-datasets; F varies.

  Frames are bytes: the Image feature would need TensorFlow.
  """
  return tfds.features.FeaturesDict(
    {
      'frames': tfds.features.Sequence(tfds.features.Scalar(np.object_)),
      'points': tfds.features.Tensor(
        shape=(None, layout.NUM_POINTS, 2), dtype=np.float32
      ),
      # See landmarks/gaze.py; NaN: unknown. Records made before lack it.
      'gaze': tfds.features.Tensor(shape=(None, 2, 2), dtype=np.float32),
      'times': tfds.features.Tensor(shape=(None,), dtype=np.float32),
      'num_frames': tfds.features.Scalar(np.int64),
      'image_size': tfds.features.Scalar(np.int64),
      'video_id': tfds.features.Text(),
      'identity_id': tfds.features.Text(),
    }
  )


def spread(num_frames: int, max_frames: int) -> np.ndarray:
  """Indices of at most `max_frames` frames, evenly over the whole video.

  Args:
    num_frames: number of frames of the video, at least 1.
    max_frames: largest number of indices, at least 1.

  Returns:
    int64 [min(num_frames, max_frames)], strictly increasing. It includes the
    first and the last frame; with max_frames = 1, the first only.
  """
  wanted = min(num_frames, max_frames)
  return np.linspace(0, num_frames - 1, wanted).round().astype(np.int64)


def encode_jpeg(frame: np.ndarray, quality: int = JPEG_QUALITY) -> bytes:
  """Encodes a frame as JPEG.

  Args:
    frame: uint8 RGB [H, W, 3].
    quality: 1 to 100.

  Returns:
    The bytes of a JPEG file.
  """
  bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
  options = [
    *(cv2.IMWRITE_JPEG_QUALITY, quality),
    # No chroma subsampling: lips and eyes are a few pixels wide.
    *(
      cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
      cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ),
  ]
  done, data = cv2.imencode('.jpg', bgr, options)
  if not done:
    raise RuntimeError(f'JPEG encoding failed for a frame of {frame.shape}')
  return data.tobytes()


def jpeg_size(data: bytes) -> tuple[int, int] | None:
  """Reads the size of a JPEG from its first frame header, without decoding.

  ITU-T T.81, annex B.2.2.

  Args:
    data: the bytes of a file.

  Returns:
    (height, width) in pixels; None if there is no frame header.
  """
  if data[:2] != b'\xff\xd8':  # not a JPEG
    return None
  place = 2
  while data[place : place + 1] == b'\xff':
    marker = data[place + 1 : place + 2]
    if marker == b'\xff':  # fill bytes may precede a marker
      place += 1
      continue
    # 0xC4, 0xC8 and 0xCC are tables and an extension, the rest frame headers.
    if b'\xc0' <= marker <= b'\xcf' and marker not in b'\xc4\xc8\xcc':
      sides = data[place + 5 : place + 9]
      if len(sides) < 4:
        return None
      return int.from_bytes(sides[:2]), int.from_bytes(sides[2:])
    place += 2 + int.from_bytes(data[place + 2 : place + 4])
  return None


def decode_jpeg(data: bytes, record_size: int, image_size: int) -> np.ndarray:
  """Decodes and resizes a square frame.

  Args:
    data: the bytes of a JPEG file, record_size x record_size.
    record_size: side of the stored frame, pixels.
    image_size: side of the result, pixels.

  Returns:
    uint8 RGB [image_size, image_size, 3].

  Raises:
    ValueError: the bytes are not a JPEG, or one of another size.
  """
  # Checked before decoding: a small file may decode to gigabytes.
  size = jpeg_size(data)
  if size is None:
    raise ValueError('a frame of the record is not a JPEG image')
  if size != (record_size, record_size):
    raise ValueError(
      f'a frame of the record has {size[1]} x {size[0]} pixels, not'
      f' {record_size} x {record_size}'
    )
  # JPEG scales to the ceiling of size / factor, so never below image_size.
  flag = next(
    (flag for factor, flag in _REDUCED if record_size >= factor * image_size),
    cv2.IMREAD_COLOR,
  )
  try:
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
  except cv2.error:  # no data, or a header that exceeds OpenCV's limits
    bgr = None
  if bgr is None:
    raise ValueError('a frame of the record is not a JPEG image')
  rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
  if rgb.shape[0] == image_size:
    return rgb
  smaller = rgb.shape[0] > image_size
  how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
  return cv2.resize(rgb, (image_size, image_size), interpolation=how)


def _check(frames, points, times, video_id):
  num_frames, size = frames.shape[:2] if frames.ndim == 4 else (0, 0)
  if frames.dtype != np.uint8 or frames.shape != (num_frames, size, size, 3):
    raise ValueError(
      f'{video_id}: frames are {frames.dtype} {frames.shape}, not uint8'
      ' [F, S, S, 3]'
    )
  if not num_frames:
    raise ValueError(f'{video_id}: no frames')
  wanted = (num_frames, layout.NUM_POINTS, 2)
  if points.shape != wanted or not np.isfinite(points).all():
    raise ValueError(f'{video_id}: points {points.shape} not finite {wanted}')
  if times.shape != (num_frames,) or not np.isfinite(times).all():
    raise ValueError(f'{video_id}: times {times.shape} not [{num_frames}]')


def make_record(
  frames: np.ndarray,
  points: np.ndarray,
  times: np.ndarray,
  *,
  video_id: str,
  identity_id: str,
  max_frames: int = MAX_FRAMES,
  gaze: np.ndarray | None = None,
) -> dict:
  """Makes a record of frames spread over the whole video.

  Args:
    frames: uint8 RGB [F, S, S, 3], all frames of the video in one crop.
    points: float [F, 68, 2], (x, y) in pixels of these frames.
    times: float [F], seconds.
    video_id: unique in the dataset.
    identity_id: the person.
    max_frames: number of frames to keep.
    gaze: float [F, 2, 2], NaN where it is unknown; None: unknown throughout.

  Returns:
    A record as described by `features()`.

  Raises:
    ValueError: wrong shapes, or values that are not finite.
  """
  frames, points, times = map(np.asarray, (frames, points, times))
  _check(frames, points, times, video_id)
  if gaze is None:
    gaze = np.full((len(frames), 2, 2), np.nan)
  kept = spread(len(frames), max_frames)
  return {
    'frames': [encode_jpeg(frames[index]) for index in kept],
    'points': points[kept].astype(np.float32),
    'gaze': np.asarray(gaze, np.float32)[kept],
    'times': times[kept].astype(np.float32),
    'num_frames': len(kept),
    'image_size': frames.shape[1],
    'video_id': video_id,
    'identity_id': identity_id,
  }


def check_record(record: dict) -> None:
  """Raises UserError if a record read from disk is inconsistent.

  The frames are not decoded.
  """
  video_id, num_frames = text(record['video_id']), int(record['num_frames'])
  points, times = record['points'], record['times']
  size = int(record['image_size'])
  problem = None
  if not num_frames or len(record['frames']) != num_frames:
    problem = f'{len(record["frames"])} frames instead of {num_frames}'
  elif points.shape != (num_frames, layout.NUM_POINTS, 2):
    problem = f'points of shape {points.shape}'
  elif times.shape != (num_frames,):
    problem = f'times of shape {times.shape}'
  elif 'gaze' in record and record['gaze'].shape != (num_frames, 2, 2):
    problem = f'gaze of shape {record["gaze"].shape}'
  elif not (np.isfinite(points).all() and np.isfinite(times).all()):
    problem = 'points or times that are not finite'
  elif not 1 <= size <= MAX_SIZE:
    problem = f'frames of {size} pixels'
  if problem:
    raise UserError(f'{video_id}: has {problem}; prepare the dataset again')


def decode_list(record: dict, indices, image_size: int):
  """Decodes the chosen frames of a record.

  Args:
    record: as read from disk.
    indices: int [N], the chosen frames.
    image_size: S, side of the result in pixels.

  Returns:
    (list of N frames uint8 RGB [S, S, 3], points float32 [N, 68, 2] in pixels
    of these).

  Raises:
    UserError: the record is damaged.
  """
  record_size = int(record['image_size'])
  try:
    frames = [
      decode_jpeg(record['frames'][index], record_size, image_size)
      for index in indices
    ]
  except ValueError as error:
    raise UserError(
      f'{text(record["video_id"])}: {error}; prepare the dataset again'
    ) from error
  scale = np.float32(image_size / record_size)
  return frames, record['points'][np.asarray(indices)] * scale


def decode_frames(record: dict, indices, image_size: int):
  """`decode_list` with the frames stacked, uint8 RGB [N, S, S, 3]."""
  frames, points = decode_list(record, indices, image_size)
  return np.stack(frames), points


def text(value) -> str:
  """An id of a record as str; tensorflow-datasets reads it as bytes."""
  if isinstance(value, bytes):
    return value.decode(errors='replace')
  return str(value)
