"""The networks and what lies around them against MediaPipe 0.10.21's figures.

Distances are in per cent of that between the outer corners of the eyes.
"""

import os
import pathlib

import cv2
import numpy as np
import pytest

from flaxheads.landmarks import face_finder
from flaxheads.landmarks.face_finder import Square
from tests.landmarks import mediapipe_reference as reference

MAX_MEAN, MAX = 0.05, 1.0  # per cent


@pytest.fixture(scope='module', name='folder')
def _folder():
  folder = os.environ.get('FLAXHEADS_REAL_CLIPS')
  return pathlib.Path(folder) if folder else None


@pytest.fixture(scope='module', name='figures')
def _figures():
  with np.load(reference.FIGURES, allow_pickle=False) as file:
    return dict(file)


def _errors(found, truth):
  """Distances of points [..., P, 2 or 3] to [..., P, 2], per cent."""
  eyes = np.linalg.norm(truth[..., 33, :] - truth[..., 263, :], axis=-1)
  apart = np.linalg.norm(found[..., :2] - truth, axis=-1)
  return 100 * apart / eyes[..., None]


def _look_once(image, square):
  """The mesh's points after one pass, as MediaPipe's."""
  (x,), (y,) = face_finder._run(
    'mesh', [face_finder.cut(image, square, cv2.BORDER_REPLICATE)]
  )
  assert x > face_finder.MIN_PRESENCE
  return square.place(y[:, :2] / 192)


def test_the_detector_is_mediapipe_s(folder, figures):
  for name, image in reference.pictures(folder):
    truth = figures[f'{name}/detection']
    found = face_finder._run(
      'detector',
      [face_finder.cut(image, face_finder.whole(image), cv2.BORDER_CONSTANT)],
    )
    faces = face_finder.merge(*(each[0] for each in found))
    if np.isnan(truth).any():
      assert not faces, name
      continue
    _, box, keypoints = faces[0]
    places = np.concatenate([box.reshape(2, 2), keypoints])
    places = face_finder.whole(image).place(places)
    eyes = np.linalg.norm(truth[2] - truth[3])
    apart = 100 * np.linalg.norm(places - truth, axis=-1) / eyes
    print(f'{name}: {apart.max():.4f}')
    assert apart.max() < MAX, name


def test_the_mesh_is_mediapipe_s(folder, figures):
  errors = []
  for name, image in reference.pictures(folder):
    square = Square(*figures[f'{name}/rectangle'].tolist())
    found = _look_once(image, square)
    errors.append(_errors(found, figures[f'{name}/points']))
    print(
      f'{name}: mean {errors[-1].mean():.4f}, at most {errors[-1].max():.4f}'
    )
  assert len(errors) == (reference.NUM_RENDERED if folder is None else 21)
  assert np.mean(errors) < MAX_MEAN and np.max(errors) < MAX


def test_tracking_is_mediapipe_s(real_clips, figures):
  for name, frames in reference.clips(real_clips):
    square = Square(*figures[f'{name}/rectangle'].tolist())
    errors = []
    for image, truth in zip(frames, figures[f'{name}/points'], strict=True):
      found = _look_once(image, square)
      errors.append(_errors(found, truth))
      square = face_finder.around(found)
    print(f'{name}: mean {np.mean(errors):.4f}, at most {np.max(errors):.4f}')
    assert np.mean(errors) < MAX_MEAN and np.max(errors) < MAX


def test_quickly_compiled_networks_are_the_same():
  """Grouped convolutions instead of sums of shifted images."""
  images = np.random.default_rng(3).integers(0, 255, (1, 192, 192, 3), np.uint8)
  for name in ('detector', 'mesh'):
    for quick, optimised in zip(
      face_finder._run(name, images, few=True),
      face_finder._run(name, images),
      strict=True,
    ):
      np.testing.assert_allclose(quick, optimised, atol=1e-3)
