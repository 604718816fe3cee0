"""VoxCeleb's published layouts become jobs."""

import pytest

from flaxheads.data import voxceleb
from flaxheads.errors import UserError
from tests.data.prepared import touch

_TEXT = """Identity  : \tid00012
Reference : \t21Uxsk56VDQ
Offset    : \t-2
FV Conf   : \t17.345\t(1)
ASD Conf  : \t5.234

FRAME \tX \tY \tW \tH

{:06d} \t0.432 \t0.137 \t0.168 \t0.298
000165 \t0.432 \t0.137 \t0.168 \t0.298
"""


@pytest.fixture
def tree(tmp_path):
  return touch(
    tmp_path,
    'dev/mp4/id00012/21Uxsk56VDQ/00001.mp4',
    'dev/mp4/id00012/21Uxsk56VDQ/00002.mp4',
    'dev/mp4/id00012/abc/00003.mp4',
    'dev/mp4/id00015/xyz/00001.mp4',
    'dev/mp4/id00015/empty/readme.txt',
    'dev/mp4/other/xyz/00001.mp4',
    'test/mp4/id00017/01dfn2spqyE/00001.mp4',
  )


def _list(tree):
  return voxceleb.list_voxceleb2(voxceleb.VoxCelebOptions(source=str(tree)))


def test_utterances_of_a_video_are_one_job(tree):
  jobs = {job.video_id: job for job in _list(tree)}
  assert {name: job.split for name, job in jobs.items()} == {
    'id00012/21Uxsk56VDQ': 'train',
    'id00012/abc': 'train',
    'id00015/xyz': 'train',
    'id00017/01dfn2spqyE': 'test',
  }
  job = jobs['id00012/21Uxsk56VDQ']
  assert [path[-9:] for path in job.paths] == ['00001.mp4', '00002.mp4']
  assert job.identity_id == 'id00012' and job.starts == ()


def test_text_files_set_utterances_in_time(tree):
  texts = tree / 'dev/txt/id00012/21Uxsk56VDQ'
  texts.mkdir(parents=True)
  (texts / '00001.txt').write_text(_TEXT.format(500))
  job = _list(tree)[0]
  assert job.starts == ()  # one is missing: their order is that of names
  (texts / '00002.txt').write_text(_TEXT.format(125))
  job = _list(tree)[0]
  assert job.starts == (5.0, 20.0)
  assert [path[-9:] for path in job.paths] == ['00002.mp4', '00001.mp4']
  (texts / '00002.txt').write_bytes(b'\xff\xfe nothing')
  assert _list(tree)[0].starts == ()


def test_the_folder_mp4_may_be_left_out(tree):
  (tree / 'dev/mp4').rename(tree / 'people')
  (tree / 'dev').rmdir()
  (tree / 'people').rename(tree / 'dev')
  assert len(_list(tree)) == 4


def test_an_identity_in_both_splits_is_refused(tree):
  touch(tree, 'test/mp4/id00015/xyz/00001.mp4')
  with pytest.raises(UserError, match='id00015 is in dev and in test'):
    _list(tree)


def test_another_layout_is_refused(tmp_path):
  touch(tmp_path, 'id00012/abc/00001.mp4')
  with pytest.raises(UserError, match='--source: .* has no dev/mp4'):
    _list(tmp_path)
  with pytest.raises(UserError, match="'/nowhere' is not a folder"):
    _list('/nowhere')


def test_voxceleb1_has_the_people_of_verification_as_its_test_set(tmp_path):
  for number in (10001, 10269, 10270, 10309, 10310, 11251):
    touch(tmp_path, f'id{number}/abc/00001.mp4')
  options = voxceleb.VoxCelebOptions(source=str(tmp_path))
  jobs = voxceleb.list_voxceleb1(options)
  test = [job.identity_id for job in jobs if job.split == 'test']
  assert len(jobs) == 6 and test == ['id10270', 'id10309']
  with pytest.raises(UserError, match='has no id10001'):
    voxceleb.list_voxceleb1(
      voxceleb.VoxCelebOptions(source=str(tmp_path / 'id10001'))
    )
