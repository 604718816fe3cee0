"""One shot of a video, turned faces, and faces that the edge cuts in half."""

import numpy as np
import pytest

from flaxheads.data.face_clips import load_face_clip
from flaxheads.data.image import write_png
from flaxheads.data.support import load_support
from flaxheads.data.video_writer import VideoWriter
from flaxheads.errors import UserError
from flaxheads.landmarks.detect import Face
from tests.data.coloured_faces import (
  SHAPE,
  ColourDetector,
  TurnedDetector,
  picture,
)


def test_shots_of_several_people(tmp_path, caplog):
  """Frames of one person only; the longest shot has 12 of 22 frames."""
  first = [picture({'red': (60 + i, 40, 30)}) for i in range(10)]
  other = [picture({'red': (60 + i, 40, 30)}) for i in range(12)]
  for image in other:
    image[(image == 128).all(-1)] = 20, 40, 200  # the background
  with VideoWriter(tmp_path / 'a.mp4', 25, crf=4) as writer:
    for image in [*first, *other]:
      writer.write(image)
  clip = load_face_clip(
    tmp_path / 'a.mp4', 64, detector=ColourDetector(), one_shot=True
  )
  assert clip.shots == ((0, 9), (10, 21))
  assert clip.kept.tolist() == list(range(10, 22)) and clip.missing == []
  assert 'only the longest is used, frames 10-21' in caplog.text
  assert len(clip.all_times) == 22
  caplog.clear()
  driver = load_face_clip(tmp_path / 'a.mp4', 64, detector=ColourDetector())
  assert len(driver.kept) == 22
  assert 'has cuts, before frames 10; if' in caplog.text


@pytest.mark.parametrize('turns', [0, 1, 2, 3])
@pytest.mark.parametrize('name', ['a.png', 'a.mp4'])
def test_a_face_that_is_not_upright(tmp_path, caplog, turns, name):
  image = picture({'red': (60, 50, 40)})
  image[20:36, 72:88] = 30, 30, 220
  upright, turned = tmp_path / f'up_{name}', tmp_path / name
  for path, each in ((upright, image), (turned, np.rot90(image, turns))):
    if name == 'a.png':
      write_png(path, each)
    else:
      with VideoWriter(path, 25, crf=0) as writer:
        for index in range(10):
          shown = np.ascontiguousarray(each)
          writer.write(shown if index > 2 else np.full_like(shown, 128))
  expected = load_face_clip(upright, 64, detector=TurnedDetector())
  caplog.clear()
  got = load_support(turned, 64, detector=TurnedDetector())
  clip = load_face_clip(turned, 64, detector=TurnedDetector())
  assert set(clip.turns) == {-turns % 4}
  assert ('the face was not upright' in caplog.text) == bool(turns)
  assert any('upright' in text for text in got.remarks) == bool(turns)
  np.testing.assert_allclose(clip.points, expected.points, atol=1e-3)
  tolerance = 0 if name == 'a.png' else 6  # chroma is stored in halves
  difference = np.abs(clip.frames.astype(int) - expected.frames)
  assert difference.mean() <= tolerance
  assert got.portrait.image.shape == image.shape
  assert np.abs(got.portrait.image.astype(int) - image).mean() <= tolerance


def test_a_face_that_the_edge_cuts_in_half(tmp_path):
  """Detectors continue a face beyond the edge; nobody gave landmarks."""

  class Beyond(ColourDetector):
    def __call__(self, image):
      return [Face.from_points(SHAPE * 60 - (40, -30))]

  write_png(tmp_path / 'a.png', picture({}))
  with pytest.raises(UserError, match='a.png: the edge .* cuts the face') as e:
    load_face_clip(tmp_path / 'a.png', 64, detector=Beyond())
  assert 'landmarks' not in str(e.value)
