"""Jobs to records: what is kept, and why the rest is not."""

import numpy as np
import pytest

from flaxheads.data import records
from flaxheads.data.preparation import process as module
from flaxheads.data.preparation import quality, scan
from flaxheads.data.preparation.job import Job, Options
from flaxheads.data.preparation.process import process
from tests.data.preparation.conftest import detect, draw, make_face

OPTIONS = Options(image_size=32, max_frames=8, min_face_size=30)


def _job(*paths, starts=()):
  return Job(tuple(map(str, paths)), 'v', 'anna', 'train', starts)


def test_a_good_video_becomes_a_record(write_video):
  path = write_video('a.mp4', [draw((50 + i, 64)) for i in range(20)])
  record, outcome = process(_job(path), OPTIONS, detect)
  assert outcome.num_frames == record['num_frames'] == 8
  assert (outcome.num_read, outcome.reason, outcome.files) == (20, '', {})
  assert outcome.num_scanned == 10  # every other frame: twice those kept
  assert [image.group for image in outcome.images] == ['kept']
  frames, points = records.decode_frames(record, range(8), 32)
  assert frames.shape == (8, 32, 32, 3)
  # One crop for all frames: the head moves inside it.
  assert np.ptp(points.mean(1)[:, 0]) > 4
  assert np.ptp(points.mean(1)[:, 1]) < 1


@pytest.mark.parametrize(
  'bad, reason',
  [
    (lambda: draw(size=0), quality.NO_FACE),
    (lambda: draw(size=20), quality.SMALL),
    (lambda: draw(blurred=True), quality.BLURRED),
  ],
)
def test_bad_frames_are_left_out_and_counted(write_video, bad, reason):
  frames = [draw() for _ in range(6)] + [bad() for _ in range(4)]
  path = write_video('a.mp4', frames)
  record, outcome = process(_job(path), OPTIONS, detect)
  # A face that vanishes, shrinks or changes is not the same track: either way
  # these four are not kept.
  assert record['num_frames'] == 6
  assert sum(outcome.frames.values()) == 4
  if reason != quality.SMALL:  # half the size at once: the track is lost
    assert outcome.frames == {reason: 4}
  assert len(outcome.images) == 2
  _, outcome = process(_job(write_video('b.mp4', [bad()] * 6)), OPTIONS, detect)
  assert outcome.num_frames == 0
  assert outcome.reason == f'no good frame, mostly: {reason}'


def test_a_face_that_leaves_the_image_is_cut():
  frame = module.shots.ScannedFrame(
    0, 0.0, [make_face(100, 30, 48)], [1.0], (128, 128)
  )
  assert quality.reject_reason(frame, 0, OPTIONS) == quality.CUT


def test_frames_with_company_in_the_crop_are_left_out(write_video):
  def two(image):
    faces = detect(image)
    light = image[2, 2].mean() > 60
    return [*faces, make_face(80, 40, 30)] if light else faces

  frames = [draw((50, 64))] * 6 + [draw((50, 64), shade=90)] * 3
  path = write_video('a.mp4', frames)
  record, outcome = process(_job(path), OPTIONS, two)
  assert record['num_frames'] == 6
  assert outcome.frames == {quality.SEVERAL: 3}


def test_the_longest_shot_counts(write_video):
  first, second = [draw((40, 64))] * 5, [draw((90, 64), shade=110)] * 8
  path = write_video('a.mp4', first + second)
  record, outcome = process(_job(path), OPTIONS, detect)
  assert record['num_frames'] == 8
  assert outcome.frames == {quality.OTHER_SHOT: 5}


def test_files_of_a_video_share_a_record_in_its_time(write_video, tmp_path):
  paths = [
    write_video(f'{i}.mp4', [draw((40 + 20 * i, 64))] * 4) for i in (0, 1)
  ]
  (tmp_path / 'bad.mp4').write_text('no video')
  job = _job(paths[0], tmp_path / 'bad.mp4', paths[1], starts=(2.0, 5.0, 9.0))
  record, outcome = process(job, OPTIONS, detect)
  assert record['num_frames'] == 8
  np.testing.assert_allclose(
    record['times'], [2, 2.04, 2.08, 2.12, 9, 9.04, 9.08, 9.12], atol=1e-4
  )
  assert list(outcome.files) == [str(tmp_path / 'bad.mp4')]
  assert 'is not a video' in outcome.files[str(tmp_path / 'bad.mp4')]
  # Each file has a crop of its own: both faces are in the middle.
  assert np.abs(np.diff(record['points'].mean(1)[:, 0])).max() < 1
  untimed, _ = process(_job(*paths), OPTIONS, detect)
  assert (np.diff(untimed['times']) > 0).all()


def test_too_few_frames_are_dropped_with_the_reason(write_video):
  path = write_video('a.mp4', [draw()] * 3 + [draw(size=0)] * 5)
  options = Options(image_size=32, max_frames=8, min_frames=4, min_face_size=30)
  record, outcome = process(_job(path), options, detect)
  assert record is None
  assert outcome.reason == (
    '3 good frames, but min_frames=4; the others mostly: no face'
  )


def test_a_reason_does_not_repeat_an_odd_name(tmp_path):
  path = tmp_path / 'new\nline  and\ttab.mp4'
  path.write_text('this is not a video\n' * 50)
  record, outcome = process(_job(path), OPTIONS, detect)
  assert record is None
  assert outcome.reason.startswith('is not a video')


def test_a_broken_detector_is_reported_and_does_not_raise(write_video):
  def broken(image):
    raise ZeroDivisionError

  path = write_video('a.mp4', [draw()] * 3)
  record, outcome = process(_job(path), OPTIONS, broken)
  assert record is None
  assert outcome.reason == 'unexpected ZeroDivisionError, see the log'


def test_large_frames_are_read_again_and_give_the_same(
  write_video, monkeypatch
):
  path = write_video('a.mp4', [draw((50 + i, 64)) for i in range(12)])
  once, _ = process(_job(path), OPTIONS, detect)
  monkeypatch.setattr(scan, '_MAX_HELD', 100)
  twice, _ = process(_job(path), OPTIONS, detect)
  assert once['frames'] == twice['frames']
  np.testing.assert_array_equal(once['points'], twice['points'])


def test_a_file_longer_than_it_says_is_thinned_out(write_video):
  path = write_video('a.mp4', [draw((40 + i / 4, 64)) for i in range(100)])
  scanned = scan.scan(str(path), 1, 20, detect)
  assert scanned.num_frames == 100 and 10 <= len(scanned.frames) <= 20
  steps = np.diff([frame.index for frame in scanned.frames])
  assert (steps == steps[0]).all() and set(scanned.images) == {
    frame.index for frame in scanned.frames
  }
