"""View matrices of the camera and of the lamps."""

from typing import NamedTuple

import numpy as np

_SHADOW_EXTENT = 26.0  # cm around the head
FACE_Z = 12.0  # cm; the camera's distance is counted from here


class Camera(NamedTuple):
  """Where the camera is and what part of its image is kept.

  Attributes:
    distance: cm in front of the eyes.
    centre: float [2] tangents of the image's middle, right and up.
    half: tangent of half of the image's side.
  """

  distance: float
  centre: np.ndarray
  half: float


def project(camera: Camera, positions: np.ndarray, side: int) -> np.ndarray:
  """World positions [..., 3], cm, to pixels [..., 2]."""
  depth = camera.distance - positions[..., 2] + FACE_Z
  tangents = positions[..., :2] / depth[..., None]
  unit = (tangents - camera.centre) / camera.half  # -1 to 1
  return (unit * [1, -1] + 1) * (0.5 * side)


def view_matrix(camera: Camera):
  """Clip coordinates with y down, so that row 0 of the image is the top."""
  near, far = 10.0, camera.distance + 100.0
  m = np.zeros((4, 4))
  m[0, 0], m[1, 1] = 1 / camera.half, -1 / camera.half
  m[0, 2] = -camera.centre[0] / camera.half
  m[1, 2] = camera.centre[1] / camera.half
  m[2, 2] = (far + near) / (near - far) * -1
  m[3, 2] = 1
  m[2, 3] = -2 * far * near / (far - near)
  flip = np.diag([1.0, 1, -1, 1])
  flip[2, 3] = camera.distance + FACE_Z
  return m @ flip


def lamp_matrix(towards, centre, extent=_SHADOW_EXTENT):
  """Orthographic view from a direction."""
  z = towards / np.linalg.norm(towards)
  x = np.cross([0.0, 1.0, 0.0] if abs(z[1]) < 0.95 else [1.0, 0, 0], z)
  x /= np.linalg.norm(x)
  rows = np.stack([x, np.cross(z, x), -z]) / extent
  m = np.eye(4)
  m[:3, :3] = rows
  m[:3, 3] = -rows @ centre
  m[2] *= 0.5
  m[3] = [0, 0, 0, 1]
  return m
