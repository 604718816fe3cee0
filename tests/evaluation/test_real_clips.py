"""Baselines on real footage: what must hold whatever the person."""

import numpy as np
import pytest

from flaxheads.baselines.nearest import nearest
from flaxheads.baselines.warp import warp
from flaxheads.data.face_clips import load_face_clip
from flaxheads.evaluation import protocol, results
from flaxheads.evaluation.evaluators import Detection, Evaluators
from flaxheads.evaluation.protocol import Method
from flaxheads.evaluation.trials import Person, make_trials
from flaxheads.landmarks.detect import DETECTOR, make_detector


@pytest.fixture(scope='module')
def rows(real_clips, tmp_path_factory):
  detector = make_detector(often=True)
  path = min((real_clips / 'clips').glob('grid_*.mp4'))
  clip = load_face_clip(path, 64, detector=detector, max_frames=75)
  person = Person(path.stem, clip.frames, clip.points)
  everybody = make_trials([person], (1, 8), 'halves', 6)
  made = protocol.evaluate(
    everybody,
    [Method('nearest', nearest), Method('warp', warp)],
    (1, 8),
    results.Store(tmp_path_factory.mktemp('real')),
    Evaluators(Detection(DETECTOR, detector)),
  )
  return {(row['method'], row['num_shots']): row for row in made}


def test_every_face_is_found_on_enlarged_frames(rows):
  assert {row['failure_rate'] for row in rows.values()} == {0}


def test_detector_agrees_with_the_points_of_the_clip(rows):
  # 64x64 frames enlarged against the whole image: a few per cent.
  assert 0 < rows['real', 0]['nme'] < 0.06
  assert rows['real', 0]['psnr'] == 100


def test_warping_follows_the_driver_better_than_copying(rows):
  assert rows['warp', 1]['nme'] < rows['nearest', 1]['nme']
  assert rows['warp', 1]['akd'] < rows['nearest', 1]['akd']
  assert rows['warp', 1]['psnr_face'] > rows['nearest', 1]['psnr_face']


def test_more_support_brings_copies_nearer(rows):
  assert rows['nearest', 8]['nme'] <= rows['nearest', 1]['nme']
  assert np.all([row['ssim'] > 0.5 for row in rows.values()])


def test_the_real_frames_agree_with_themselves(rows):
  assert rows['real', 0]['akd'] == 0
  assert 0 < rows['real', 0]['flicker'] < 0.1
