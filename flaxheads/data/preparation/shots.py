"""Shots of a video, and one face followed through each of them."""

from typing import NamedTuple

import cv2
import numpy as np

from flaxheads.landmarks.detect import Face

_THUMBNAIL = 64  # pixels
# At a cut the change is at least _MIN_CHANGE, and _RATIO times that of the
# frames around it: measure and numbers of PySceneDetect's adaptive detector.
_MIN_CHANGE = 15.0
_RATIO = 3.0
_WINDOW = 2  # frames on either side
_MAX_GAP = 3  # scanned frames that a face may be missing from


class Cuts:
  """Finds cuts in a stream of frames.

  After the last frame `found()` lists the numbers of those that begin a shot.
  """

  def __init__(self):
    self._last = None
    self._changes = []  # of frame i from frame i - 1, in hue, light and colour

  def add(self, image: np.ndarray) -> None:
    """Takes the next frame, uint8 RGB [H, W, 3]."""
    size = (_THUMBNAIL, _THUMBNAIL)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    small = cv2.cvtColor(small, cv2.COLOR_RGB2HSV).astype(np.int16)
    if self._last is not None:
      difference = np.abs(small - self._last)
      # Hue is an angle: 0 to 179, then 0 again.
      difference[..., 0] = np.minimum(
        difference[..., 0], 180 - difference[..., 0]
      )
      self._changes.append(float(difference.mean()))
    self._last = small

  def found(self) -> list[int]:
    """Numbers of the frames that begin another shot, from 1 on."""
    changes = np.asarray(self._changes)
    cuts = []
    for index in np.flatnonzero(changes >= _MIN_CHANGE):
      low = max(0, index - _WINDOW)
      around = np.delete(changes[low : index + _WINDOW + 1], index - low)
      background = around.mean() if len(around) else 0.0
      if changes[index] >= _RATIO * background:
        cuts.append(int(index) + 1)
    return cuts


class ScannedFrame(NamedTuple):
  """A frame in which faces were detected.

  Attributes:
    index: number of the frame in its file.
    time: seconds from the file's first frame.
    faces: found in it, the largest first.
    sharpness: of each face; see quality.sharpness.
    shape: (height, width) of the frame.
  """

  index: int
  time: float
  faces: list[Face]
  sharpness: list[float]
  shape: tuple[int, int]


def split(
  frames: list[ScannedFrame], cuts: list[int]
) -> list[list[ScannedFrame]]:
  """The scanned frames of each shot; shots without any are left out."""
  shots = {}
  for frame in frames:
    shots.setdefault(int(np.searchsorted(cuts, frame.index, 'right')), [])
    shots[int(np.searchsorted(cuts, frame.index, 'right'))].append(frame)
  return [shots[number] for number in sorted(shots)]


def _reaches(before: Face, after: Face) -> bool:
  """Whether a face can have moved this far between two scanned frames."""
  distance = float(np.linalg.norm(after.centre - before.centre))
  ratio = after.size / before.size
  return distance < 0.75 * before.size and 0.5 < ratio < 2.0


def follow(frames: list[ScannedFrame]) -> list[int | None]:
  """Which face of each scanned frame is the subject of the shot.

  Faces are linked from frame to frame into tracks. The subject is the track
  with the largest face area, summed over its frames.

  Args:
    frames: of one shot, in order.

  Returns:
    For each frame an index into its faces, or None where the face is missing.
  """
  tracks = []  # {found: {frame: index of face}, last frame, face, area}
  for number, frame in enumerate(frames):
    taken = set()
    for index, face in enumerate(frame.faces):
      near = [
        track
        for track in tracks
        if id(track) not in taken
        and number - track['last'] <= _MAX_GAP
        and _reaches(track['face'], face)
      ]
      if near:
        track = min(
          near, key=lambda t: np.linalg.norm(t['face'].centre - face.centre)
        )
      else:
        track = {'found': {}, 'area': 0.0}
        tracks.append(track)
      taken.add(id(track))
      track['found'][number] = index
      track['last'], track['face'] = number, face
      track['area'] += face.size**2
  if not tracks:
    return [None] * len(frames)
  chosen = max(tracks, key=lambda track: track['area'])['found']
  return [chosen.get(number) for number in range(len(frames))]
