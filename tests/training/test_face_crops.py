"""Faces cut out on the device, against OpenCV."""

import cv2
import numpy as np

from flaxheads.training import face_crops


def test_the_inner_face_is_enlarged_to_the_frame():
  rng = np.random.default_rng(0)
  coarse = rng.uniform(-1, 1, (6, 5, 3)).astype(np.float32)
  frame = cv2.resize(coarse, (80, 96), interpolation=cv2.INTER_LINEAR)
  points = rng.uniform(30, 50, (68, 2))
  points[27, 1], points[8, 1] = 40.0, 60.0  # bridge and chin
  points[3, 0], points[13, 0] = 22.0, 54.0  # the widest
  # From 40 - 0.47 * 20 to 60 + 0.2 * 20 pixels, as wide, about x = 38.
  top, side = 30.6, 33.4
  left = 38 - side / 2
  zoom_x, zoom_y = 80 / side, 96 / side
  # OpenCV's pixel centres lie at integers.
  matrix = np.array(
    [
      [zoom_x, 0, zoom_x * (0.5 - left) - 0.5],
      [0, zoom_y, zoom_y * (0.5 - top) - 0.5],
    ]
  )
  wanted = cv2.warpAffine(frame, matrix, (80, 96), flags=cv2.INTER_LINEAR)
  found = face_crops.enlarge(frame[None], points[None].astype(np.float32))[0]
  # OpenCV samples at 1/32 of a pixel.
  np.testing.assert_allclose(found, wanted, atol=0.02)
  # What lies outside of the frame is black.
  moved = points[None].astype(np.float32) - [[[60.0, 0.0]]]
  outside = face_crops.enlarge(frame[None], moved.astype(np.float32))[0]
  np.testing.assert_allclose(outside[:, :20], -1, atol=1e-6)
