"""Rectangles of one colour in place of faces, and what detects them."""

import numpy as np

from flaxheads.landmarks.crop import turn_image, turn_points
from flaxheads.landmarks.detect import Face

SHAPE = np.random.default_rng(0).uniform(0, 1, (68, 2))
SHAPE[36:48, 0] = np.repeat([0.3, 0.7], 6)  # eyes beside each other: upright


class ColourDetector:
  """Finds squares of saturated colour: exact, and quick.

  A 'face' is a rectangle of one colour; its points fill its bounding box.
  """

  COLOURS = {'red': (220, 30, 30), 'green': (30, 220, 30)}

  def __call__(self, image):
    faces = []
    for colour in self.COLOURS.values():
      near = np.abs(image.astype(int) - colour).max(-1) < 60
      if near.sum() < 30:
        continue
      y, x = np.nonzero(near)
      low = np.array([x.min(), y.min()])
      extent = np.array([x.max() + 1, y.max() + 1]) - low
      shape = (SHAPE - SHAPE.min(0)) / np.ptp(SHAPE, axis=0)
      faces.append(Face.from_points(low + shape * extent))
    return sorted(faces, key=lambda face: -face.size)

  def track(self, images, face):
    """The square nearest to the face, however far."""

    def distance(other):
      return np.linalg.norm(other.centre - face.centre)

    return [min(self(im), key=distance, default=None) for im in images]


class TurnedDetector(ColourDetector):
  """Finds one face under a blue square, which tells how the image is turned."""

  def __call__(self, image):
    blue = np.abs(image.astype(int) - (30, 30, 220)).max(-1) < 60
    if not blue.any():
      return []
    mark = np.argwhere(blue).mean(0)[::-1]
    (face,) = super().__call__(image)
    x, y = mark - face.centre
    turns = (2 if y > 0 else 0) if abs(y) > abs(x) else (1 if x < 0 else 3)
    upright = turn_image(image, -turns)
    (face,) = super().__call__(upright)
    return [Face.from_points(turn_points(face.points, turns, upright.shape))]


def picture(places, height=120, width=200):
  """Grey with coloured squares: {'red': (x, y, side), ...}."""
  image = np.full((height, width, 3), 128, np.uint8)
  for name, (x, y, side) in places.items():
    image[y : y + side, x : x + side] = ColourDetector.COLOURS[name]
  return image
