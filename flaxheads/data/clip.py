"""The frames of one face, and the warnings and notes about them."""

import dataclasses

import numpy as np

from flaxheads.errors import UserError
from flaxheads.landmarks.crop import CropBox

FACE_NEEDED = 'give one with a whole face, seen from the front'
# A crop this many times larger than the image means points of another image.
_MAX_CROP = 8


@dataclasses.dataclass(frozen=True)
class FaceClip:
  """The cropped frames of one face.

  Attributes:
    frames: uint8 RGB [F, S, S, 3]; None if only points were requested.
    points: float32 [F, 68, 2] in pixels of the crop.
    times: float64 [F] in seconds; for images, their index.
    all_times: float64 [N], of all frames of the source, also of those without
      the face.
    fps: frames per second, where most are one gap apart; None for images and a
      single frame.
    boxes: F squares in the source. All frames of a video share one box; each
      image of a folder has its own.
    kept: int64 [F], indices of the frames in the source.
    missing: indices of source frames without the face.
    shots: (first, last) indices of the shots of a video that show a face.
    turns: quarter turns of np.rot90, one for each of F, that made the face
      upright before it was cropped; boxes and points are of turned frames.
    source: the path.
    gaze: float32 [F, 2, 2], see landmarks/gaze.py; NaN where it is unknown.
      None: no iris was looked for.
  """

  frames: np.ndarray | None
  points: np.ndarray
  times: np.ndarray
  all_times: np.ndarray
  fps: float | None
  boxes: tuple[CropBox, ...]
  kept: np.ndarray
  missing: list[int]
  source: str
  shots: tuple[tuple[int, int], ...] = ()
  turns: tuple[int, ...] = ()
  gaze: np.ndarray | None = None

  @property
  def box(self) -> CropBox:
    """The box of the first frame; in a video, of all frames."""
    return self.boxes[0]


def remarks_of(clip: FaceClip) -> list[str]:
  """What a user should know of a clip."""
  texts = describe_missing(clip), describe_shots(clip), describe_turns(clip)
  return [text for text in texts if text]


def describe_turns(clip: FaceClip) -> str:
  """How images were turned until faces were upright; '' if none was."""
  turned = [turns for turns in clip.turns if turns]
  if not turned:
    return ''
  degrees = {
    1: '90 degrees to the left',
    2: '180 degrees',
    3: '90 degrees to the right',
  }
  how = ' or '.join(degrees[turns] for turns in sorted(set(turned)))
  some = len(turned) < len(clip.turns)
  what = f'{len(turned)} of {len(clip.turns)} images' if some else 'it'
  return f'{clip.source}: turned {what} by {how}: the face was not upright'


def describe_missing(clip: FaceClip) -> str:
  """Such as 'no face in frames 12-19 and 40 of clip.mp4'; '' if none lacks."""
  if not clip.missing:
    return ''
  cuts = np.flatnonzero(np.diff(clip.missing) != 1) + 1
  parts = [
    str(run[0]) if len(run) == 1 else f'{run[0]}-{run[-1]}'
    for run in np.split(np.array(clip.missing), cuts)
  ]
  listed = ' and '.join([', '.join(parts[:-1]), parts[-1]][len(parts) < 2 :])
  noun = 'frame' if len(clip.missing) == 1 else 'frames'
  return f'no face in {noun} {listed} of {clip.source}'


def describe_shots(clip: FaceClip) -> str:
  """What was done about cuts between shots with faces; '' without such cuts."""
  if len(clip.shots) < 2:
    return ''
  first, last = int(clip.kept[0]), int(clip.kept[-1])
  used = [shot for shot in clip.shots if shot[0] <= first and last <= shot[1]]
  if used:
    return (
      f'{clip.source}: of {len(clip.shots)} shots with a face, only the longest'
      f' is used, frames {used[0][0]}-{used[0][1]}; others may show somebody'
      ' else'
    )
  starts = ', '.join(str(first) for first, _ in clip.shots[1:])
  return (
    f'{clip.source}: has cuts, before frames {starts}; if the shots show'
    ' different people, give one of them'
  )


def check_box(source: str, box: CropBox, shape: tuple[int, ...], given: bool):
  """Raises UserError if a crop lies outside of its image.

  Args:
    source: the image or video.
    box: the crop.
    shape: of the image, (height, width, ...).
    given: whether the landmarks are the user's; others were detected.
  """
  height, width = shape[:2]
  x, y = box.x0 + box.side / 2, box.y0 + box.side / 2
  inside = 0 <= x <= width and -box.side <= y <= height
  if inside and box.side <= _MAX_CROP * max(height, width):
    return
  if given:
    raise UserError(
      f'{source}: the landmarks lie outside of the image of {width}x{height}'
      ' pixels; give the landmarks of this file'
    )
  raise UserError(
    f'{source}: the edge of the image cuts the face in half; {FACE_NEEDED}'
  )
