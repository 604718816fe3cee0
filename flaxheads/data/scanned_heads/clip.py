"""One clip of one person: frames and points."""

from typing import NamedTuple

import numpy as np

from flaxheads.data.scanned_heads import (
  backgrounds,
  families,
  film,
  identity,
  lighting,
  render,
)
from flaxheads.data.scanned_heads import camera as camera_lib
from flaxheads.data.scanned_heads import (
  figure as figures,
)
from flaxheads.data.scanned_heads import (
  motion as motions,
)
from flaxheads.data.scanned_heads import (
  points as points_lib,
)
from flaxheads.landmarks import crop

_OVERSCAN = 1.0


class Scene(NamedTuple):
  """What is in front of the camera in a clip."""

  person: identity.Person
  figure: figures.Figure
  motion: motions.Motion
  light: lighting.Light
  lens: film.Film


def rotation(yaw, pitch, roll) -> np.ndarray:
  """The head's rotation, head to world: float [3, 3]."""
  cy, sy = np.cos(yaw), np.sin(yaw)
  cp, sp = np.cos(pitch), np.sin(pitch)
  cr, sr = np.cos(roll), np.sin(roll)
  turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
  nod = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
  tilt = np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
  return (turn @ nod @ tilt).astype(np.float32)


def make_scene(
  assets, seed, identity_index, motion_index, num_frames, fps, family
):
  """Samples a clip; see make_clip for the arguments."""
  people = families.FAMILIES[family]
  person = people.sample(assets, seed, identity_index)
  stream = [seed, identity_index, 1, motion_index]
  return Scene(
    person,
    people.build(assets, person),
    motions.sample_motion(
      [*stream, 0], num_frames, fps, list(people.unit_names(assets))
    ),
    lighting.sample_light([*stream, 1]),
    film.sample_film([*stream, 2]),
  )


def _exposure(scene, transfer, head, lens):
  """Brings the face to a usual brightness; dark skin stays darker."""
  front = np.arange(scene.figure.num_skin)
  place = scene.figure.rest[front]
  face = front[
    (np.abs(place[:, 0]) < 6)
    & (place[:, 1] > -9)
    & (place[:, 1] < 6)
    & (place[:, 2] > 10)
  ]
  sky = transfer[face] @ lighting.project(scene.light.panorama, head)
  lamps = scene.light.colours * np.clip(scene.light.lamps[:, 2:] + 0.3, 0, 1)
  total = sky.mean() + 0.5 * lamps.sum(0).mean() / np.pi
  # The camera makes up for half of a dark skin's darkness, in stops.
  tone = (scene.person.tone.mean() / 0.35) ** -0.45
  return lens.exposure * 0.95 * tone / max(total, 1e-3)


def render_clip(assets, scene: Scene, image_size: int, seed):
  """Renders a clip.

  Returns:
    Frames uint8 [F, S, S, 3] and points float32 [F, 68, 2] in pixels.
  """
  figure, motion = scene.figure, scene.motion
  poses, heads = [], []
  for i in range(len(motion.yaw)):
    head = rotation(motion.yaw[i], motion.pitch[i], motion.roll[i])
    body = rotation(0.15 * motion.yaw[i], 0, 0.2 * motion.roll[i])
    heads.append(head)
    poses.append(
      figures.pose(figure, motion.units[i], head, body, motion.shift[i])
    )
  wide = camera_lib.Camera(scene.lens.distance, np.zeros(2), 1.0)
  tangents = np.stack(
    [points_lib.project(figure, p, wide, 2) for p in poses]
  )  # [F, 68, 2] from 0 to 2
  box = crop.crop_box(tangents)
  x, y = box.x0 + box.side / 2 - 1, 1 - (box.y0 + box.side / 2)
  camera = camera_lib.Camera(
    scene.lens.distance, np.array([x, y]), box.side / 2
  )
  points = (tangents - [box.x0, box.y0]) * (image_size / box.side)

  background = backgrounds.make_background([*seed, 3], image_size, scene.light)
  drawn = render.Renderer(assets, scene.person, figure, scene.light, background)
  transfer = drawn.transfer()
  exposure = _exposure(scene, transfer, heads[0], scene.lens)
  frames = []
  for i, pose in enumerate(poses):
    sky = lighting.project(scene.light.panorama, heads[i])
    still = lighting.project(scene.light.panorama, np.eye(3))
    follow = figure.follow[:, None]
    irradiance = follow * (transfer @ sky) + (1 - follow) * (transfer @ still)
    irradiance = np.clip(irradiance, 0, None)
    gaze = rotation(motion.gaze[i, 0], -motion.gaze[i, 1], 0)
    frames.append(
      drawn.frame(
        camera, pose, heads[i], gaze, irradiance, exposure, image_size
      )
    )
  frames = film.develop(np.stack(frames), scene.lens, [*seed, 4])
  return frames, points.astype(np.float32)


def make_clip(
  assets,
  seed: int,
  identity_index: int,
  num_frames: int,
  image_size: int,
  motion_index: int = 0,
  fps: float = 25.0,
  family: str = 'makehuman',
):
  """Renders a clip from whole numbers alone.

  Args:
    assets: the Assets.
    seed: of the whole dataset.
    identity_index: who; depends on seed and this alone.
    num_frames: F.
    image_size: S, pixels.
    motion_index: which of this person's motions, lights and places.
    fps: frames a second; fewer show more poses in as many frames.
    family: of families.FAMILIES.

  Returns:
    Frames uint8 [F, S, S, 3] and points float32 [F, 68, 2].
  """
  scene = make_scene(
    assets, seed, identity_index, motion_index, num_frames, fps, family
  )
  stream = [seed, identity_index, 1, motion_index]
  return render_clip(assets, scene, image_size, stream)
