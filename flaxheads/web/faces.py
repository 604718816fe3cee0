"""The faces found in uploaded files, and how the page shows them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from flaxheads.data.support import Support
from flaxheads.errors import UserError
from flaxheads.landmarks.crop import crop_image
from flaxheads.landmarks.detect import Detector, Face, find_faces

_THUMBNAIL = 192  # pixels
_QUALITY = 85
_GREEN = (80, 230, 120)


class ReportingDetector:
  """A detector that reports how many images it has seen."""

  def __init__(self, detector: Detector, tell: Callable[[int], None]):
    """Args: the detector, and what is called with the number of images."""
    self._detector, self._tell, self._count = detector, tell, 0

  def _seen(self, images):
    self._count += len(images)
    self._tell(self._count)

  def __call__(self, image: np.ndarray) -> list[Face]:
    """See Detector."""
    self._seen([image])
    return self._detector(image)

  def many(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
    """See Detector."""
    return find_faces(self._detector, images)

  def track(
    self, images: Sequence[np.ndarray], face: Face
  ) -> list[Face | None]:
    """See Detector."""
    self._seen(images)
    return self._detector.track(images, face)


def with_name(error: UserError, path: Path) -> UserError:
  """The error with a file's name instead of its path on the server."""
  return UserError(str(error).replace(str(path), path.name))


def thin(support: Support, max_shots: int) -> Support:
  """At most `max_shots` frames, spread evenly; the first is kept."""
  count = min(len(support.frames), max_shots)
  chosen = np.linspace(0, len(support.frames) - 1, count).round().astype(int)
  return support._replace(
    frames=support.frames[chosen],
    points=support.points[chosen],
    sides=support.sides[chosen],
    gaze=None if support.gaze is None else support.gaze[chosen],
  )


def join(supports: Sequence[Support], max_shots: int) -> Support:
  """The frames of several files of one person; the first is the portrait."""
  gaze = [support.gaze for support in supports]
  known = all(each is not None for each in gaze)
  return thin(
    Support(
      np.concatenate([support.frames for support in supports]),
      np.concatenate([support.points for support in supports]),
      [remark for support in supports for remark in support.remarks],
      np.concatenate([support.sides for support in supports]),
      supports[0].portrait,
      np.concatenate(gaze) if known else None,
    ),
    max_shots,
  )


def jpeg(image: np.ndarray, max_side: int | None = None) -> bytes:
  """Encodes uint8 RGB [H, W, 3], downscaled to `max_side` pixels."""
  scale = (max_side or max(image.shape)) / max(image.shape[:2])
  if scale < 1:
    image = cv2.resize(
      image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )
  bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
  quality = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
  return cv2.imencode('.jpg', bgr, quality)[1].tobytes()


def thumbnail(support: Support) -> bytes:
  """JPEG of the first face with its landmarks."""
  image, box = support.portrait
  crop = np.array(crop_image(image, box, _THUMBNAIL))
  scale = _THUMBNAIL / support.frames.shape[1]
  for x, y in np.round(support.points[0] * scale).astype(int).tolist():
    cv2.circle(crop, (x, y), 1, _GREEN, -1, cv2.LINE_AA)
  return jpeg(crop)
