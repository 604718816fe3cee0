"""Rectangles of one colour in place of faces, and what detects them."""

import numpy as np

from flaxheads.landmarks.detect import Face

SHAPE = np.random.default_rng(0).uniform(0, 1, (68, 2))


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


def picture(places, height=120, width=200):
  """Grey with coloured squares: {'red': (x, y, side), ...}."""
  image = np.full((height, width, 3), 128, np.uint8)
  for name, (x, y, side) in places.items():
    image[y : y + side, x : x + side] = ColourDetector.COLOURS[name]
  return image
