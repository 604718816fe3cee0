"""Records what MediaPipe 0.10.21 finds, for tests/landmarks to compare with.

Needs an environment with that MediaPipe, which no longer is a requirement:

  pip install --no-deps mediapipe==0.10.21
  pip install attrs flatbuffers matplotlib
  FLAXHEADS_REAL_CLIPS=... python -m tests.reproduce.record_mediapipe

The file holds figures alone: boxes, keypoints and points.
"""

import os
import pathlib

import jax
import numpy as np
from PIL import Image

from flaxheads.data import synthetic_heads
from tests.landmarks import mediapipe_reference as reference


def _points(landmarks, shape):
  """float32 [P, 2] in pixels."""
  scale = np.array(shape[1::-1], np.float32)
  return np.array([(p.x, p.y) for p in landmarks], np.float32) * scale


def _rectangle(rect, shape):
  """(x, y, side, angle) of a NormalizedRect, which is square in pixels."""
  x, y = rect.x_center * shape[1], rect.y_center * shape[0]
  return np.array([x, y, rect.width * shape[1], rect.rotation], np.float32)


def _mesh_graph(tracking):
  """MediaPipe's FaceMesh with irises, which also gives its rectangles."""
  from mediapipe.python.solution_base import SolutionBase

  path = 'mediapipe/modules/face_landmark/face_landmark_front_cpu.binarypb'
  detection = (
    'facedetectionshortrangecpu__facedetectionshortrange__facedetection__'
    'TensorsToDetectionsCalculator.min_score_thresh'
  )
  return SolutionBase(
    binary_graph_path=path,
    side_inputs={
      'num_faces': 1,
      'with_attention': True,
      'use_prev_landmarks': tracking,
    },
    calculator_params={
      detection: 0.5,
      'facelandmarkcpu__ThresholdingCalculator.threshold': 0.5,
    },
    outputs=['multi_face_landmarks', 'face_rects_from_detections'],
  )


def _detection(detector, image):
  """The surest face of the full-range detector: float32 [8, 2], NaN: none."""
  found = detector.process(image).detections
  if not found:
    return np.full((8, 2), np.nan, np.float32)
  data = found[0].location_data
  box = data.relative_bounding_box
  corners = [(box.xmin, box.ymin)]
  corners += [(box.xmin + box.width, box.ymin + box.height)]
  points = [(p.x, p.y) for p in data.relative_keypoints]
  scale = np.array(image.shape[1::-1], np.float32)
  return np.array(corners + points, np.float32) * scale


def _record(images, tracking=False):
  """(rectangle [4] of the first, points [N, 478, 2]) of stills or a clip."""
  points, rectangle = [], None
  graph = _mesh_graph(tracking)
  for image in images:
    found = graph.process(image)
    mesh = found.multi_face_landmarks[0].landmark
    points.append(_points(mesh, image.shape))
    if rectangle is None:
      rectangle = _rectangle(found.face_rects_from_detections[0], image.shape)
  return rectangle, np.stack(points)


def _render():
  """Writes the rendered heads, one PNG each."""
  for number in range(reference.NUM_RENDERED):
    key = jax.random.key(number)
    identity = synthetic_heads.sample_identity(key)
    motion = synthetic_heads.sample_motion(key, 8)
    motion = jax.tree.map(lambda each: np.asarray(each)[:1], motion)
    (frame,) = synthetic_heads.render_frames(identity, motion, 128)
    Image.fromarray(np.asarray(frame)).save(reference.rendered_path(number))


def main():
  """Writes the pictures of rendered heads and the file of figures."""
  from mediapipe.python.solutions import face_detection

  folder = pathlib.Path(os.environ['FLAXHEADS_REAL_CLIPS'])
  detector = face_detection.FaceDetection(model_selection=1)
  _render()
  arrays = {}
  for name, image in reference.pictures(folder):
    rectangle, points = _record([image])
    arrays[f'{name}/detection'] = _detection(detector, image)
    arrays[f'{name}/rectangle'] = rectangle
    arrays[f'{name}/points'] = points[0]
  for name, frames in reference.clips(folder):
    rectangle, points = _record(frames, tracking=True)
    arrays[f'{name}/rectangle'], arrays[f'{name}/points'] = rectangle, points
  np.savez_compressed(reference.FIGURES, **arrays)
  print(f'{reference.FIGURES}: {len(arrays)} arrays')


if __name__ == '__main__':
  main()
