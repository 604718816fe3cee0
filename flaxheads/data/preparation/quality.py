"""Which frames of a shot are good enough for training, and why not."""

import cv2
import numpy as np

from flaxheads.data.preparation.job import Options
from flaxheads.data.preparation.shots import ScannedFrame
from flaxheads.landmarks.crop import CropBox
from flaxheads.landmarks.detect import Face
from flaxheads.landmarks.follow import SIMILAR

NO_FACE = 'no face'
SMALL = 'face too small'
CUT = 'face cut by the border'
BLURRED = 'blurred'
SEVERAL = 'several faces in the crop'
OTHER_SHOT = 'another shot'

_SIDE = 128  # pixels that the face is resized to
_MAX_OUTSIDE = 0.05  # share of the 68 points beyond the image


def sharpness(image: np.ndarray, face: Face) -> float:
  """How much fine detail a face has, independent of its contrast.

  Args:
    image: uint8 RGB [H, W, 3].
    face: in it.

  Returns:
    Variance of the Laplacian over the variance of luminance of the face's box
    resized to 128 x 128 pixels; 0 for a box of no area.
  """
  height, width = image.shape[:2]
  x0, y0 = (max(0, int(n)) for n in face.box[:2])
  x1, y1 = min(width, int(face.box[2]) + 1), min(height, int(face.box[3]) + 1)
  if x1 - x0 < 4 or y1 - y0 < 4:
    return 0.0
  grey = cv2.cvtColor(image[y0:y1, x0:x1], cv2.COLOR_RGB2GRAY)
  smaller = max(x1 - x0, y1 - y0) > _SIDE
  how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
  grey = cv2.resize(grey, (_SIDE, _SIDE), interpolation=how)
  detail = cv2.Laplacian(grey.astype(np.float32), cv2.CV_32F)
  return float(detail.var() / max(float(grey.var()), 1.0))


def _share_outside(frame: ScannedFrame, face: Face) -> float:
  height, width = frame.shape
  inside = (face.points >= 0).all(-1) & (face.points <= (width, height)).all(-1)
  return 1 - float(inside.mean())


def reject_reason(
  frame: ScannedFrame, index: int | None, options: Options
) -> str:
  """Why the face of a frame cannot be used; '' if it can.

  Args:
    frame: that was scanned.
    index: of the face, or None where it is missing.
    options: with the limits.
  """
  if index is None:
    return NO_FACE
  face = frame.faces[index]
  if face.size < options.min_face_size:
    return SMALL
  if _share_outside(frame, face) > _MAX_OUTSIDE:
    return CUT
  if frame.sharpness[index] < options.min_sharpness:
    return BLURRED
  return ''


def shows_other_face(frame: ScannedFrame, index: int, box: CropBox) -> bool:
  """Whether the crop shows another face of similar size.

  Args:
    frame: that was scanned.
    index: of the subject's face.
    box: the crop of the shot.
  """
  return any(
    other.size >= SIMILAR * frame.faces[index].size
    and 0 <= other.centre[0] - box.x0 <= box.side
    and 0 <= other.centre[1] - box.y0 <= box.side
    for number, other in enumerate(frame.faces)
    if number != index
  )
