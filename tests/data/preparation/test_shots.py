"""Cuts are found, and one face is followed."""

import numpy as np

from flaxheads.data.preparation import shots
from tests.data.preparation.conftest import draw, make_face


def _cuts(frames):
  cuts = shots.Cuts()
  for frame in frames:
    cuts.add(frame)
  return cuts.found()


def test_a_cut_is_found_and_movement_is_not_one():
  calm = [draw((40 + i, 64)) for i in range(20)]
  assert _cuts(calm) == []
  other = [draw((80, 64), shade=200) for _ in range(10)]
  assert _cuts(calm + other) == [20]
  assert _cuts(calm + other + calm) == [20, 30]


def test_a_fade_is_no_cut():
  fade = [np.full((64, 64, 3), 4 * i, np.uint8) for i in range(60)]
  assert _cuts(fade) == []


def _look(index, faces):
  return shots.ScannedFrame(
    index, index / 25, faces, [1.0] * len(faces), (128, 128)
  )


def test_looks_are_split_at_cuts():
  frames = [_look(i, []) for i in (0, 3, 6, 9)]
  parts = shots.split(frames, [4, 6])
  assert [[frame.index for frame in part] for part in parts] == [[0, 3], [6, 9]]
  assert shots.split(frames, []) == [frames]


def test_the_face_that_covers_most_is_followed_past_gaps_and_order():
  frames = []
  for i in range(8):
    large, small = make_face(2 * i, 0, 40), make_face(90, 80, 24)
    faces = [small, large] if i % 2 else [large, small]
    frames.append(_look(i, [small] if i == 4 else faces))
  assert shots.follow(frames) == [0, 1, 0, 1, None, 1, 0, 1]


def test_a_face_elsewhere_is_another_track():
  frames = [_look(i, [make_face(0 if i < 3 else 85, 0, 40)]) for i in range(8)]
  assert shots.follow(frames) == [None] * 3 + [0] * 5
  assert shots.follow([_look(0, [])]) == [None]
