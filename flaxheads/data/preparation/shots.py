"""Shots of a video, and one face followed through each of them."""

from typing import NamedTuple

import cv2
import numpy as np

from flaxheads.landmarks.detect import Face

_THUMBNAIL = 64  # pixels
# A cut changes the picture by so much more than the frames around it; the
# measure and both numbers are those of PySceneDetect's adaptive detector.
_MIN_CHANGE = 15.0
_RATIO = 3.0
_WINDOW = 2  # frames on either side
_MAX_GAP = 3  # looks that a face may be missing from


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
      calm = around.mean() if len(around) else 0.0
      if changes[index] >= _RATIO * calm:
        cuts.append(int(index) + 1)
    return cuts


class Look(NamedTuple):
  """A frame in which faces were looked for.

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


def split(looks: list[Look], cuts: list[int]) -> list[list[Look]]:
  """Looks of each shot, shots without any left out."""
  shots = {}
  for look in looks:
    shots.setdefault(int(np.searchsorted(cuts, look.index, 'right')), [])
    shots[int(np.searchsorted(cuts, look.index, 'right'))].append(look)
  return [shots[number] for number in sorted(shots)]


def _reaches(before: Face, after: Face) -> bool:
  """Whether a face can have moved so far between two looks."""
  distance = float(np.linalg.norm(after.centre - before.centre))
  ratio = after.size / before.size
  return distance < 0.75 * before.size and 0.5 < ratio < 2.0


def follow(looks: list[Look]) -> list[int | None]:
  """Which face of each look is the one that the shot is about.

  Faces are linked from look to look; the track that covers the most face
  area, summed over its looks, is the one.

  Args:
    looks: of one shot, in order.

  Returns:
    For each look an index into its faces, or None where the face is missing.
  """
  tracks = []  # [{look: index of face}, last look, last face, area]
  for number, look in enumerate(looks):
    taken = set()
    for index, face in enumerate(look.faces):
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
    return [None] * len(looks)
  chosen = max(tracks, key=lambda track: track['area'])['found']
  return [chosen.get(number) for number in range(len(looks))]
