"""Visitors of the page whose pictures show squares in place of faces."""

import types

import numpy as np
import pytest

from flaxheads.data.image import write_png
from flaxheads.data.video_writer import VideoWriter
from flaxheads.landmarks.detect import Face
from flaxheads.web import files, making
from flaxheads.web.jobs import Queue
from flaxheads.web.limits import Limits
from flaxheads.web.session import Session
from flaxheads.web.settings import Settings
from tests.data.coloured_faces import ColourDetector, picture
from tests.faces import face_points

FRAMES = 4
PATIENCE = 120  # seconds


class SquareDetector(ColourDetector):
  """Takes a square for a face whose points are those of a plain one."""

  def __call__(self, image):
    faces = []
    for face in super().__call__(image):
      x0, y0, *_ = face.box
      faces.append(Face.from_points(face_points(2 * face.size) + (x0, y0)))
    return faces


@pytest.fixture(autouse=True)
def squares(monkeypatch):
  """Nothing compiles to find faces."""
  for module in (files, making):
    monkeypatch.setattr(module, 'make_detector', SquareDetector)


@pytest.fixture(scope='session')
def given(tmp_path_factory):
  """Files that visitors give: head, other, two, wall, driver."""
  folder = tmp_path_factory.mktemp('given')
  places = {
    'head': {'red': (60, 30, 60)},
    'other': {'green': (70, 40, 50)},
    'two': {'red': (10, 30, 60), 'green': (120, 30, 60)},
    'wall': {},
  }
  for name, squares in places.items():
    write_png(folder / f'{name}.png', picture(squares))
  with VideoWriter(folder / 'driver.mp4', 25) as writer:
    for n in range(FRAMES + 2):
      writer.write(picture({'red': (60 + 2 * n, 30, 60)}))
  paths = {path.stem: path for path in folder.iterdir()}
  return types.SimpleNamespace(**paths)


@pytest.fixture
def settings(tmp_path):
  limits = Limits(
    max_pictures=3, max_driver_frames=FRAMES, max_visitors=2, max_megabytes=1
  )
  return Settings(None, limits, tmp_path)


@pytest.fixture
def session(settings):
  session = Session(settings, Queue(8, 1.0))
  yield session
  session.close()
  assert not list(settings.folder.iterdir())


def give(session, path, take):
  """Gives a file as an upload would."""
  copy = session.new_path(path.name)
  copy.write_bytes(path.read_bytes())
  take(copy)


def wait(session, condition=lambda session: not session.busy):
  """Waits until no job is left, or for another condition."""
  with session.changed:
    assert session.changed.wait_for(lambda: condition(session), PATIENCE)
  return session.state()


def gradient(height=90, width=120):
  """An image without a face."""
  x = np.linspace(0, 255, width)
  return np.broadcast_to(x[None, :, None], (height, width, 3)).astype(np.uint8)
