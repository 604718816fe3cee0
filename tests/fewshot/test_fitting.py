"""Who moves whom: when motion is retargeted, and what is told of images."""

import types

import numpy as np
import pytest

from flaxheads.data.driver import Driver
from flaxheads.data.support import Support
from flaxheads.errors import UserError
from flaxheads.fewshot import animation_job, paste
from flaxheads.fewshot.support_warnings import support_warnings
from flaxheads.landmarks import face_shape
from flaxheads.landmarks.retarget import keep_inside
from tests.faces import face_points

SIZE = 64


def turned(yaw, gap=0.0):
  """The average face, turned by degrees: float32 [68, 2] in pixels."""
  shape = face_shape.statistics().mean.copy()
  shape[[57, 58, 56, 65, 66, 67], 1] -= gap
  angle = np.radians(yaw)
  rotation = np.array(
    [
      [np.cos(angle), 0, np.sin(angle)],
      [0, 1, 0],
      [-np.sin(angle), 0, np.cos(angle)],
    ]
  )
  motion = face_shape.Motion(rotation[None], np.array([2.0]), None, None)
  (points,) = face_shape.project(shape, motion) * (1, -1)
  return (points + (32, 32)).astype(np.float32)


def person(points, info=None):
  return types.SimpleNamespace(
    image_size=SIZE,
    support_points=points,
    points=points[0],
    info=info or {},
    portrait=None,
  )


def test_motion_is_relative_for_others():
  me = person(turned(0)[None], {'source_sha256': 'abc'})
  assert animation_job.is_own(me, 'abc') and not animation_job.is_own(me, 'abd')
  clip, still = (
    Driver('d', np.zeros((n, 68, 2)), None, 25.0, []) for n in (10, 9)
  )
  assert animation_job.choose_motion('auto', clip, own=False) == 'relative'
  assert animation_job.choose_motion('auto', clip, own=True) == 'absolute'
  assert animation_job.choose_motion('auto', still, own=False) == 'absolute'
  assert animation_job.choose_motion('relative', still, own=True) == 'relative'
  assert animation_job.choose_motion('absolute', clip, own=False) == 'absolute'


def test_drivers_are_fitted_as_asked():
  points = np.stack([turned(yaw, 0.05 * yaw) for yaw in (0, 10, 20)])
  driver = Driver('d', points, None, 25.0, [])
  me = person(turned(10, 0.5)[None] + (3, -6))

  def fit(motion, own, pasted):
    return animation_job.fit_points(me, driver, motion, own, pasted)

  plain = fit('absolute', own=True, pasted=False)
  assert plain.points is points
  pasted = fit('absolute', own=True, pasted=True)
  nearest = np.abs(pasted.points - me.points).mean((1, 2)).min()
  assert nearest < 0.01
  for motion in ('absolute', 'relative'):
    moved = fit(motion, own=False, pasted=False)
    assert moved.points.shape == points.shape
    assert moved._replace(points=points) == driver
  # Eyes look where the photograph's do while the driver rests, in frame 1.
  gaze = np.float32([[[g, 0], [g, 0.01]] for g in (0.02, 0.05, 0.1)])
  me.gaze = np.float32([[[0.1, -0.02], [-0.1, 0.0]]])
  driver = driver._replace(gaze=gaze)
  found = fit('relative', own=False, pasted=False).gaze
  np.testing.assert_allclose(found, me.gaze + gaze - gaze[1], atol=1e-6)
  me.gaze = None
  assert fit('relative', own=False, pasted=False).gaze is None
  # The head starts from the photograph, not from where the driver's is.
  nearest = np.abs(moved.points - me.points).mean((1, 2)).min()
  assert nearest < 0.05 * SIZE


def test_a_face_that_leaves_comes_back():
  inside = face_points(SIZE)[None]
  np.testing.assert_array_equal(keep_inside(inside, SIZE), inside)
  back = keep_inside(inside + (0, 40), SIZE)
  assert back[..., 1].max() <= 0.9 * SIZE + 1e-3
  np.testing.assert_allclose(back[..., 0], inside[..., 0])
  large = keep_inside(inside * 3, SIZE)
  middle = (large.min(1) + large.max(1)) / 2
  np.testing.assert_allclose(middle, [[SIZE / 2, SIZE / 2]], atol=1e-3)


def test_without_a_portrait_nothing_is_pasted():
  with pytest.raises(UserError, match='made without a portrait'):
    paste.check_portrait(person(turned(0)[None]))


def support(yaws, side=200.0, noise=20, gap=1.0):
  rng = np.random.default_rng(0)
  frames = rng.integers(100, 101 + noise, (len(yaws), SIZE, SIZE, 3))
  points = np.stack([turned(yaw, gap * i) for i, yaw in enumerate(yaws)])
  sides = np.full(len(yaws), side)
  return Support(frames.astype(np.uint8), points, [], sides, None)


@pytest.mark.parametrize(
  'given, words',
  [
    (support([0, 20]), []),
    (support([0]), []),
    (support([0, 20], side=40), ['too small, about 20 pixels']),
    (support([40, 55]), ['no frontal view, the nearest is turned by']),
    (support([5, 5, 5], noise=2, gap=0), ['the 3 pictures are too alike']),
    (support([50, 50], side=30, noise=2, gap=0), ['small', 'view', 'alike']),
  ],
)
def test_unsuitable_images_are_told(given, words):
  told = support_warnings(given, 'photos', SIZE)
  assert len(told) == len(words)
  for text, word in zip(told, words, strict=True):
    assert text.startswith('photos: ') and word in text
    assert '\n' not in text
