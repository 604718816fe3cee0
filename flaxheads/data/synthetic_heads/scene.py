"""Everything in front of the backdrop, as one signed distance."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from flaxheads.data.synthetic_heads import camera, head, wear
from flaxheads.data.synthetic_heads.camera import View
from flaxheads.data.synthetic_heads.face import Face, make_face
from flaxheads.data.synthetic_heads.identity import Identity
from flaxheads.data.synthetic_heads.motion import Motion

# The neck's lower end, in the body's frame.
_NECK_BASE = (0.0, -19.0, -4.2)


class Scene(NamedTuple):
  """One person at one frame."""

  identity: Identity
  motion: Motion  # scalar fields
  face: Face
  view: View
  neck_base: tuple[jax.Array, jax.Array, jax.Array]  # head's frame


class Parts(NamedTuple):
  """Distances to the parts, cm: float32 [N] each."""

  skin: jax.Array
  eyes: jax.Array
  mouth: jax.Array
  hair: jax.Array
  clothes: jax.Array
  glasses: jax.Array

  def nearest(self):
    """Distance to the nearest part."""
    distance = self.skin
    for other in self[1:]:
      distance = jnp.minimum(distance, other)
    return distance


def make_scene(identity: Identity, motion: Motion) -> Scene:
  """A scene from one person and one frame's motion (scalar fields)."""
  view = camera.make_view(motion)
  base = camera.world_to_head(view, *camera.body_to_world(view, *_NECK_BASE))
  return Scene(identity, motion, make_face(identity, motion), view, base)


def parts(scene: Scene, x, y, z) -> Parts:
  """Distances at points of the head's frame."""
  i, face = scene.identity, scene.face
  q = jnp.abs(x)
  skin, bone = head.skin(i, face, scene.neck_base, x, y, z)
  world = camera.head_to_world(scene.view, x, y, z)
  body = camera.world_to_body(scene.view, *world)
  return Parts(
    skin=skin,
    eyes=head.eyeballs(face, q, y, z),
    mouth=head.mouth_floor(face, x, y, z),
    hair=wear.hair(i, x, y, z, bone),
    clothes=wear.clothes(i, *body),
    glasses=wear.glasses(i, face, x, y, z),
  )


def distance(scene: Scene, x, y, z):
  """Distance to the nearest part."""
  return parts(scene, x, y, z).nearest()
