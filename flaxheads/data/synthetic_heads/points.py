"""The 68 points of a synthetic head, from the rendered geometry."""

import jax
import jax.numpy as jnp

from flaxheads.data.synthetic_heads import camera, head
from flaxheads.data.synthetic_heads import face as face_lib
from flaxheads.data.synthetic_heads.scene import Scene

# Half of the jaw's contour, from the temple to the chin: heights, cm, and
# depths through which a level line is shot from outside to the face's middle.
_JAW = (
  (7.0, 1.45, 1.6),
  (7.0, -1.5, 2.0),
  (6.8, -3.1, 2.2),
  (6.4, -6.2, 2.6),
  (5.6, -7.6, 3.2),
  (4.6, -8.6, 4.4),
  (2.95, -9.8, 6.0),
)
_STEPS = 40


def _shoot(scene, start, direction):
  """Points where lines first meet the skin.

  Args:
    scene: the Scene.
    start: three arrays [N], outside the head.
    direction: three arrays [N] of length 1.

  Returns:
    Three arrays [N].
  """

  def step(_, t):
    x, y, z = (s + t * d for s, d in zip(start, direction, strict=True))
    skin, _ = head.skin(scene.identity, scene.face, scene.neck_base, x, y, z)
    return t + 0.7 * skin

  t = jax.lax.fori_loop(0, _STEPS, step, jnp.zeros_like(start[0]))
  return tuple(s + t * d for s, d in zip(start, direction, strict=True))


def _front(scene):
  """(x, y) in front view of points 17 to 67: two arrays [51]."""
  i, face = scene.identity, scene.face
  brow_x = jnp.array([6.0, 5.05, 4.0, 2.85, 1.45])
  brow_x = jnp.concatenate([-brow_x, brow_x[::-1]])
  centre, half, _ = face_lib.brow_line(i, face, brow_x)
  brow_y = centre + half

  nose_y = jnp.stack(
    [
      jnp.float32(0.3),
      0.54 * 0.45 + 0.46 * face.nose_tip_y,
      0.2 * 0.45 + 0.8 * face.nose_tip_y,
      face.nose_tip_y,
    ]
  )
  wing = i.nose_width * jnp.array([-1.2, -0.68, 0.0, 0.68, 1.2])
  wing_y = face.nose_base_y + jnp.array([0.37, -0.1, -0.12, -0.1, 0.37])

  s = jnp.array([1.0, 0.42, -0.42, -1.0, -0.42, 0.42])
  eye_x = -(face.eye_x + face.eye_half * s)
  eye_x = jnp.concatenate([eye_x, -eye_x[jnp.array([3, 2, 1, 0, 5, 4])]])
  upper, lower, _ = face_lib.eyelids(face, eye_x)
  on_upper = jnp.array([1, 1, 1, 1, 0, 0] * 2, bool)
  eye_y = jnp.where(on_upper, upper, lower)

  u = jnp.array([1.0, 0.58, 0.24, 0.0])
  u_up = jnp.concatenate([-u, u[:3][::-1]])
  u_low = jnp.array([0.58, 0.28, 0.0, -0.28, -0.58])
  u_in = jnp.array([-0.86, -0.22, 0.0, 0.22, 0.86, 0.24, 0.0, -0.24])
  mouth_x = face.mouth_half * jnp.concatenate([u_up, u_low, u_in])
  outer_up, inner_up, inner_low, outer_low, _ = face_lib.lips(face, mouth_x)
  mouth_y = jnp.concatenate(
    [outer_up[:7], outer_low[7:12], inner_up[12:17], inner_low[17:]]
  )
  zero = jnp.zeros(4)
  x = jnp.concatenate([brow_x, zero, wing, eye_x, mouth_x])
  y = jnp.concatenate([brow_y, nose_y, wing_y, eye_y, mouth_y])
  return x, y


def _jaw(scene):
  """The jaw's 17 points in the head's frame: three arrays [17]."""
  i, face = scene.identity, scene.face
  x, y, z = jnp.asarray(_JAW).T
  y = jnp.where(y < 0, y * i.face_length, y)
  # The jaw's lower part goes down and back with the chin.
  share = jnp.clip((-y - 3.0) / 8.0, 0.0, 1.0)
  drop = face.jaw_drop * share
  y, z = y - 0.85 * drop, z - 0.45 * drop
  chin_y = face.chin_y - 0.6
  x = jnp.concatenate([-x, jnp.array([-0.9, 0.0, 0.9]), x[::-1]])
  beside = chin_y + 0.5
  y = jnp.concatenate([y, jnp.stack([beside, chin_y, beside]), y[::-1]])
  chin_z = jnp.broadcast_to(face.chin_z + 0.3, (3,))
  z = jnp.concatenate([z, chin_z, z[::-1]])
  # From outside towards the axis of the jaw.
  inner = (jnp.zeros(17), jnp.maximum(y, -7.5) * 0.75, 0.6 * z + 0.8)
  outer = (x, y, z)
  way = tuple(a - b for a, b in zip(inner, outer, strict=True))
  norm = jax.lax.rsqrt(sum(w * w for w in way))
  way = tuple(w * norm for w in way)
  start = tuple(o - 3.0 * w for o, w in zip(outer, way, strict=True))
  return _shoot(scene, start, way)


def points_in_head(scene: Scene):
  """The 68 points in the head's frame, cm: three arrays [68]."""
  x, y = _front(scene)
  far = jnp.full_like(x, 16.0)
  ahead = (jnp.zeros_like(x), jnp.zeros_like(x), -jnp.ones_like(x))
  front = _shoot(scene, (x, y, far), ahead)
  jaw = _jaw(scene)
  return tuple(jnp.concatenate(pair) for pair in zip(jaw, front, strict=True))


def project_points(scene: Scene, image_size: int):
  """The 68 points in pixels: [68, 2]."""
  world = camera.head_to_world(scene.view, *points_in_head(scene))
  return jnp.stack(camera.project(scene.view, *world, image_size), axis=-1)
