"""Face statistics of flaxheads/landmarks, from synthetic heads.

python -m tests.reproduce.face_shape

Writes flaxheads/landmarks/face_shape.json, from which landmarks/face_shape.py
reads them without a renderer. Run it when the shape or the motion of the
synthetic heads has changed.
"""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from flaxheads.data.output_files import atomic_path
from flaxheads.data.synthetic_heads.identity import sample_identity
from flaxheads.data.synthetic_heads.motion import Motion, sample_motion
from flaxheads.data.synthetic_heads.points import points_in_head
from flaxheads.data.synthetic_heads.scene import make_scene
from flaxheads.landmarks import face_shape, layout

_NUM_PEOPLE = 400
_DIGITS = 4  # behind the point, of centimetres
_SEED = 2024
_NUM_IDENTITY, _NUM_EXPRESSION = 20, 8
_POSE = ('yaw', 'pitch', 'roll', 'shift_x', 'shift_y', 'shift_z')


@jax.jit
def _points(identities, motions):
  """[N, 68, 3], cm, in the frames of the heads."""

  def one(identity, motion):
    return jnp.stack(points_in_head(make_scene(identity, motion)), -1)

  return jax.vmap(one)(identities, motions)


def head_shapes(seed: int, num_people: int):
  """People at rest, and what an expression moves in each.

  Args:
    seed: other seeds are other people.
    num_people: N.

  Returns:
    float64 [N, 68, 3] and [N, 68, 3], cm: x to the right, y up, z ahead.
  """
  person_key, motion_key = jax.random.split(jax.random.key(seed))
  identities = jax.vmap(sample_identity)(
    jax.random.split(person_key, num_people)
  )
  moving = jax.vmap(lambda k: sample_motion(k, jnp.zeros(1)))(
    jax.random.split(motion_key, num_people)
  )
  moving = jax.tree.map(lambda field: field[:, 0], moving)
  none = jnp.zeros(num_people)
  moving = moving._replace(**{name: none for name in _POSE})
  still = Motion(*[none] * len(Motion._fields))._replace(zoom=none + 1)
  rest = np.asarray(_points(identities, still), np.float64)
  return rest, np.asarray(_points(identities, moving), np.float64) - rest


def _with_mirrored(shapes):
  return np.concatenate([shapes, shapes[:, layout.MIRROR] * (-1, 1, 1)])


def _directions(offsets, count):
  """The largest principal components, a standard deviation long each."""
  flat = offsets.reshape(len(offsets), -1)
  _, sizes, rows = np.linalg.svd(flat, full_matrices=False)
  rows = rows[:count] * sizes[:count, None] / np.sqrt(len(flat))
  return rows.reshape(count, *offsets.shape[1:])


def _shape_statistics() -> dict[str, np.ndarray]:
  """float32 arrays by name: those of face_shape.Statistics."""
  rest, moved = map(_with_mirrored, head_shapes(_SEED, _NUM_PEOPLE))
  mean = rest.mean(0)
  arrays = {
    'mean': mean,
    'identity': _directions(rest - mean, _NUM_IDENTITY),
    'expression': _directions(moved, _NUM_EXPRESSION),
  }
  return {name: array.astype(np.float32) for name, array in arrays.items()}


def main():
  """Samples people and writes their statistics."""
  lines = [
    f'"{name}": {json.dumps(array.astype(float).round(_DIGITS).tolist())}'
    for name, array in _shape_statistics().items()
  ]
  path = Path(face_shape.__file__).with_suffix('.json')
  with atomic_path(path) as temporary:
    temporary.write_text('{' + ',\n'.join(lines) + '}\n')
  print(f'{path}: from {_NUM_PEOPLE} people')


if __name__ == '__main__':
  main()
