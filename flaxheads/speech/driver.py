"""Speech as a driver: the mouth follows the sound, the head a clip, or idles.

The samples that move the mouth are those of the video's sound, so both are in
sync whatever time stamps the file has.
"""

import functools
import os
from pathlib import Path

import numpy as np

from flaxheads.data import driver as clips
from flaxheads.data import video
from flaxheads.data.driver import Driver
from flaxheads.data.kinds import SOUND, kind_of
from flaxheads.errors import UserError
from flaxheads.landmarks.crop import crop_box, points_to_crop
from flaxheads.landmarks.detect import Detector
from flaxheads.speech.face import Gestures, points_of, speak_with
from flaxheads.speech.hearing import Heard, listen
from flaxheads.speech.idle import blinks, idle_motion, stresses

FPS = 25.0


def load_driver(
  path: str | os.PathLike | None,
  image_size: int,
  *,
  speech: str | os.PathLike | None = None,
  seed: int = 0,
  face: int | None = None,
  detector: Detector | None = None,
  fps: float | None = None,
  max_frames: int | None = None,
  frames: bool = True,
) -> Driver:
  """Reads what moves a person: landmarks, speech, or both.

  Args:
    path: a video, an image, a folder of images, a landmark file, or a
      sound file with speech; None: `speech` alone.
    image_size: side of the crops in pixels.
    speech: a sound file, or a video with sound. The mouth follows it, and it
      becomes the driver's sound. `path` then gives pose, lids and brows, and
      is played to and fro if it is shorter. Without `path` the head idles.
    seed: of the motion of an idling head.
    face: index of the face in `path`, from the left, where there are several.
    detector: see flaxheads/landmarks/detect.py; None makes the default one.
    fps: frames per second; None: those of `path`, or 25.
    max_frames: of the result.
    frames: False omits the frames of a video. It is then read once, in memory
      that does not grow with its length. With speech there are none.

  Raises:
    UserError: a file cannot be read, shows no face, or has no sound.
  """
  if path is not None and kind_of(path) == SOUND:
    if speech is not None:
      raise UserError(
        f'{path}: is a sound file, and speech is given too; give a video or '
        'images as the driver'
      )
    path, speech = None, path
  read = functools.partial(
    clips.load_driver,
    path,
    image_size,
    face=face,
    detector=detector,
    fps=fps,
    max_frames=max_frames,
  )
  if speech is None:
    return read(frames=frames)
  clips.check_limits(fps, max_frames)
  speech = Path(speech).expanduser()
  heard = listen(speech)
  clip = None if path is None else read(frames=False)
  fps = fps or (clip.fps if clip else FPS)
  times = _frame_times(heard.seconds, fps, max_frames, speech)
  if clip:
    points, gaze = _of_clip(clip, heard, times)
  else:
    points, gaze = _idle(heard, times, seed), None
  return Driver(
    name=clip.name if clip else speech.stem,
    points=points_to_crop(points, crop_box(points), image_size),
    frames=None,
    fps=fps,
    remarks=[*heard.remarks, *(clip.remarks if clip else [])],
    sound=speech,
    path=clip.path if clip else None,
    speech=speech,
    gaze=gaze,
  )


def _frame_times(seconds, fps, max_frames, path) -> np.ndarray:
  count = max(1, round(seconds * fps))
  if max_frames is None and count > video.MAX_FRAMES:
    raise UserError(
      f'{path}: lasts {seconds:.0f} s, more than {video.MAX_FRAMES} frames; '
      'cut it, or limit it with --max_frames'
    )
  return np.arange(min(count, max_frames or count)) / fps


def _mouth_at(heard: Heard, times):
  columns = [np.interp(times, heard.times, c) for c in heard.mouth.T]
  return np.stack(columns, -1)  # [F, 3]


def _idle(heard, times, seed) -> np.ndarray:
  rng = np.random.default_rng(seed)
  loudness = np.interp(times, heard.times, heard.loudness)
  stress = stresses(times, loudness, rng)
  gestures = Gestures(_mouth_at(heard, times), blinks(times, rng), stress)
  return points_of(gestures, idle_motion(times, stress, rng))


def _of_clip(clip, heard, times):
  """To and fro: the frames of a clip, at its own rate, as long as speech."""
  last = len(clip.points) - 1
  turn = np.arange(len(times)) % max(2 * last, 1)
  frames = np.minimum(turn, 2 * last - turn)
  points = speak_with(clip.points, frames, _mouth_at(heard, times))
  return points, None if clip.gaze is None else clip.gaze[frames]
