"""Relative motion: truth comes from synthetic heads."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flaxheads.data import synthetic_heads
from flaxheads.data.synthetic_heads.motion import Motion
from flaxheads.landmarks import layout
from flaxheads.landmarks.relative_motion import RelativeMotion, turn_limits
from flaxheads.metrics.landmark_error import landmark_error

SIZE = 256
SOURCE, DRIVER = 4, 9


def person(number):
  return synthetic_heads.sample_identity(
    jax.random.fold_in(jax.random.key(31), number)
  )


def moves(num_frames, **fields):
  """Frames at rest but for the given fields."""
  none = jnp.zeros(num_frames)
  still = Motion(*(none for _ in Motion._fields))
  still = still._replace(
    zoom=none + 1, light_power=none + 1, light_elevation=none + 0.5
  )
  return still._replace(
    **{
      name: jnp.broadcast_to(jnp.asarray(x, jnp.float32), (num_frames,))
      for name, x in fields.items()
    }
  )


def points_of(number, motion):
  return synthetic_heads.head_points(person(number), motion, SIZE)


def after_rest(values, at_rest=0.0):
  """Twenty frames of rest, then the values."""
  return np.concatenate([np.full(20, at_rest), values])


PHOTO = {'yaw': 0.3, 'roll': 0.1, 'shift_x': 1.0}
WAVE = np.sin(np.linspace(0, 6, 20))


def moved(**fields):
  """A source's photograph moved by a driver: result and truth, [40, 68, 2].

  The driver rests at another pose than the photograph's.
  """
  poses = {'yaw': -0.15, 'pitch': 0.1, 'shift_y': -1.0}
  driven = {name: after_rest(x) for name, x in fields.items()}
  driver = {
    name: poses.get(name, 0.0) + driven.get(name, 0.0)
    for name in {*poses, *driven}
  }
  truth = {
    name: PHOTO.get(name, 0.0) + driven.get(name, 0.0)
    for name in {*PHOTO, *driven}
  }
  photo = points_of(SOURCE, moves(1, **PHOTO))
  clip = points_of(DRIVER, moves(40, **driver))
  ours = RelativeMotion(photo, photo[0], clip)(clip)
  return ours, points_of(SOURCE, moves(40, **truth)), photo


@pytest.mark.parametrize(
  ('fields', 'share'),
  [
    ({'yaw': 0.2 * WAVE}, 0.35),
    ({'pitch': 0.15 * WAVE}, 0.35),
    ({'roll': 0.2 * WAVE}, 0.35),
    ({'jaw': 0.8 * np.abs(WAVE)}, 0.35),
    ({'smile': 0.8 * np.abs(WAVE)}, 0.5),
    ({'brow_left': 0.8 * WAVE, 'brow_right': 0.8 * WAVE}, 0.4),
    ({'blink_left': np.abs(WAVE)}, 0.5),
  ],
  ids=lambda x: '_'.join(x) if isinstance(x, dict) else '',
)
def test_changes_of_the_driver_reach_the_photograph(fields, share):
  ours, truth, photo = moved(**fields)
  error = landmark_error(ours, truth)[20:].mean()
  still = landmark_error(np.repeat(photo, 40, 0), truth)[20:].mean()
  assert error < share * still


def test_a_driver_at_rest_leaves_the_photograph_as_it_is():
  ours, _, photo = moved()
  np.testing.assert_allclose(ours, np.repeat(photo, 40, 0), atol=0.05)


def test_pixels_of_photograph_and_driver_mean_nothing():
  photo = points_of(SOURCE, moves(1, **PHOTO))
  clip = points_of(DRIVER, moves(40, yaw=after_rest(0.2 * WAVE)))
  once = RelativeMotion(photo, photo[0], clip)(clip)
  other = RelativeMotion(photo, 2 * photo[0] + 30, 0.5 * clip - 9)
  np.testing.assert_allclose(other(0.5 * clip - 9), 2 * once + 30, atol=0.05)


def test_frames_one_by_one_are_those_of_the_clip():
  photo = points_of(SOURCE, moves(1))
  clip = points_of(DRIVER, moves(40, jaw=after_rest(np.abs(WAVE))))
  move = RelativeMotion(photo, photo[0], clip)
  np.testing.assert_allclose(
    np.concatenate([move(clip[i : i + 1]) for i in (3, 25, 33)]),
    move(clip)[[3, 25, 33]],
    atol=1e-3,
  )


def gap(points, upper, lower):
  return np.linalg.norm(points[..., upper, :] - points[..., lower, :], axis=-1)


def test_an_open_mouth_closes():
  photo = points_of(SOURCE, moves(1, jaw=0.6, smile=0.5))
  clip = points_of(DRIVER, moves(40, jaw=after_rest(np.full(20, 0.6))))
  ours = RelativeMotion(photo, photo[0], clip)(clip)
  opened = gap(photo[0], 62, 66)
  assert gap(ours[:20], 62, 66).max() < 0.3 * opened
  assert gap(ours[20:], 62, 66).min() > 0.6 * opened


def test_shut_eyes_shut_and_one_alone_winks():
  photo = points_of(SOURCE, moves(1, **PHOTO))
  clip = points_of(DRIVER, moves(40, blink_left=after_rest(np.ones(20))))
  ours = RelativeMotion(photo, photo[0], clip)(clip)
  opened = {p: gap(photo[0], *p) for p in ((37, 41), (44, 46))}
  assert gap(ours[20:], 37, 41).max() < 0.2 * opened[37, 41]
  assert gap(ours[20:], 44, 46).min() > 0.85 * opened[44, 46]


def test_photographed_shut_eyes_open():
  photo = points_of(SOURCE, moves(1, blink_left=1.0, blink_right=1.0))
  clip = points_of(DRIVER, moves(40))
  ours = RelativeMotion(photo, photo[0], clip)(clip)
  assert gap(ours, 37, 41).min() > 3 * gap(photo[0], 37, 41)


def test_heads_turn_as_far_as_their_photograph_shows():
  frontal, turned = (
    turn_limits(np.zeros(3)),
    turn_limits(np.array([18.0, 0, 0])),
  )
  np.testing.assert_allclose(frontal[0], frontal[1])
  np.testing.assert_allclose(frontal[0, 1:], 24)
  # With what lies beyond the limit, about 20 degrees.
  assert 14 < frontal[0, 0] < 18
  # Its right cheek is hidden: it turns little towards it, and away from it
  # until the edge of the face cuts off the far eye.
  assert turned[0, 0] < 10 < turned[1, 0] == 12
  mirrored = turn_limits(np.array([-18.0, 0, 0]))
  np.testing.assert_allclose(mirrored[::-1], turned)
  backs = [turn_limits(np.array([yaw, 0, 0]))[0, 0] for yaw in range(50)]
  assert (np.diff(backs) <= 0).all() and backs[-1] == 2


def test_points_of_no_face_stay_finite():
  rng = np.random.default_rng(0)
  for scale in (1e-3, 1.0, 1e5):
    source = rng.normal(0, scale, (3, layout.NUM_POINTS, 2))
    driver = rng.normal(0, scale, (5, layout.NUM_POINTS, 2))
    assert np.isfinite(RelativeMotion(source, source[0], driver)(driver)).all()


def test_wrong_points_are_refused():
  photo = points_of(SOURCE, moves(1))
  with pytest.raises(ValueError, match='points'):
    RelativeMotion(photo, photo[0], np.zeros((2, 5, 2)))
  with pytest.raises(ValueError, match='finite'):
    RelativeMotion(photo, photo[0], np.full((2, 68, 2), np.nan))
