"""Small made-up faces and clips that the evaluation's tests share."""

import numpy as np

from flaxheads.evaluation.trials import Person


def face_points(size, shift=(0.0, 0.0), mouth=0.0):
  """68 points of a plain face, half as high as the image.

  Args:
    size: of the image, pixels.
    shift: (x, y) in pixels.
    mouth: opening, in units of the face's height.

  Returns:
    float32 [68, 2].
  """
  angle = np.linspace(np.pi, 0, 17)  # ear, chin, ear
  jaw = np.stack([0.45 * np.cos(angle), 0.5 * np.sin(angle)], -1)

  def row(x0, x1, y, count):
    return np.stack([np.linspace(x0, x1, count), np.full(count, y)], -1)

  def ellipse(x, y, a, b, count):
    angle = np.pi + np.arange(count) * 2 * np.pi / count
    return np.stack([x + a * np.cos(angle), y + b * np.sin(angle)], -1)

  bridge = np.stack([np.zeros(4), np.linspace(-0.15, 0.1, 4)], -1)
  points = np.concatenate([
    jaw, row(-0.35, -0.1, -0.3, 5), row(0.1, 0.35, -0.3, 5), bridge,
    row(-0.1, 0.1, 0.14, 5), ellipse(-0.2, -0.15, 0.08, 0.03, 6),
    ellipse(0.2, -0.15, 0.08, 0.03, 6),
    ellipse(0, 0.3, 0.15, 0.06 + mouth, 12),
    ellipse(0, 0.3, 0.1, 0.02 + mouth, 8),
  ])  # fmt: skip
  centre = np.array([0.5, 0.55]) * size
  return (points * 0.5 * size + centre + shift).astype(np.float32)


def make_person(name='ann', num_frames=20, size=32, seed=0):
  """Noise for frames, all different, and a face that wanders."""
  rng = np.random.default_rng(seed)
  frames = rng.integers(0, 256, (num_frames, size, size, 3), np.uint8)
  shifts = rng.uniform(-2, 2, (num_frames, 2))
  points = np.stack([face_points(size, shift) for shift in shifts])
  return Person(name, frames, points)
