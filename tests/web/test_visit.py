"""What the page does, without the page."""

import dataclasses

import numpy as np
import pytest

from flaxheads.data.image import write_png
from flaxheads.data.video import read_video
from flaxheads.errors import UserError
from flaxheads.provenance import credentials, examine, identity
from flaxheads.web.follow import follow
from flaxheads.web.limits import Limits
from flaxheads.web.studio import Options, Studio
from flaxheads.web.visit import Visit
from tests import tiny_game
from tests.launch import footage


@pytest.fixture(scope='module')
def studio(tmp_path_factory):
  model = tiny_game.make_model(tiny_game.make_config())
  model = dataclasses.replace(model, info={'sha256': 'a1' * 32})
  folder = tmp_path_factory.mktemp('studio')
  limits = Limits(max_pictures=3, max_people=2, max_driver_frames=4)
  return Studio(model, model.experiment.finetune, limits, folder)


@pytest.fixture(scope='module')
def photographs(tmp_path_factory):
  folder = tmp_path_factory.mktemp('photographs')
  footage.write_pictures(folder / 'face', 4)
  write_png(folder / 'wall.png', np.full((96, 96, 3), 127, np.uint8))
  footage.write_video(folder / 'driver.mp4', 6, 25)
  return folder


@pytest.fixture
def visit(studio):
  visit = Visit(studio)
  yield visit
  visit.close()
  assert not visit.folder.exists()


def _faces(photographs, count):
  return sorted((photographs / 'face').iterdir())[:count]


def test_somebody_elses_pictures_need_the_right_to_them(visit, photographs):
  visit.look(_faces(photographs, 2), None)
  for make in (
    lambda: visit.feed_forward(1, False),
    lambda: visit.finetune(1, 2, False, lambda news: None),
  ):
    with pytest.raises(UserError, match='tick the box'):
      make()
  assert not visit.people
  name = visit.feed_forward(2, True)
  assert visit.people[name].info['rights'] == 'by the box on the page'


def test_of_a_long_video_the_beginning_is_read(visit, photographs, tmp_path):
  footage.write_video(tmp_path / 'long.mp4', 9, 25)
  (look,) = visit.look([tmp_path / 'long.mp4'], None)
  assert len(look.support.frames) == 4  # max_driver_frames of these limits
  assert visit.num_shots == 3


def test_looking_ends_when_time_is_up(visit, photographs):
  news = follow(lambda tell: visit.look(_faces(photographs, 3), None, tell), 0)
  with pytest.raises(UserError, match='took longer than'):
    list(news)
  assert visit.num_shots == 0
  told = []
  visit.look(_faces(photographs, 2), None, told.append)
  assert told == [path.name for path in _faces(photographs, 2)]


def test_ones_own_certificate_signs(studio, photographs):
  own = identity.make_identity()
  visit = Visit(studio._replace(signer=own))
  visit.look(_faces(photographs, 1), None)
  visit.take_driver(photographs / 'driver.mp4')
  name = visit.feed_forward(1, True)
  told = []
  made = [visit.animate(name, Options(), told.append)]
  made += visit.compare(name, name, 0.5)
  root = own.chain[own.chain.rindex(b'-----BEGIN') :]
  for path in made:
    assert credentials.read(path, root).state == 'trusted'
    own_roots = identity.trusted_roots()
    assert credentials.read(path, own_roots).state == 'untrusted'
  visit.close()


def test_uploaded_files_may_go(visit, photographs, tmp_path):
  """All that is needed later is read, or kept, at once."""
  given = tmp_path / 'me.png'
  given.write_bytes(_faces(photographs, 1)[0].read_bytes())
  driver = tmp_path / 'driver.mp4'
  driver.write_bytes((photographs / 'driver.mp4').read_bytes())
  visit.look([given], None)
  visit.take_driver(driver)
  given.unlink()
  driver.unlink()
  name = visit.feed_forward(1, True)
  told = []
  path = visit.animate(name, Options(label=True), told.append)
  assert told == [(n, 4) for n in range(4)]  # max_driver_frames
  assert len(read_video(path).frames) == 4
  finding = examine.examine(path, identity.trusted_roots())
  assert finding.credentials.state == 'trusted'
  assert finding.credentials.facts['visible_label']


def test_limits_hold(visit, photographs):
  with pytest.raises(UserError, match='4 files; the page takes 3 at most'):
    visit.look(_faces(photographs, 4), None)
  visit.look(_faces(photographs, 3), None)
  for shots in (1, 2, 3):
    visit.feed_forward(shots, True)
  assert list(visit.people) == ['feed-forward, T = 2', 'feed-forward, T = 3']


def test_comparison_is_of_two_people_in_one_moment(visit, photographs):
  visit.look(_faces(photographs, 2), None)
  visit.take_driver(photographs / 'driver.mp4')
  one, two = visit.feed_forward(1, True), visit.feed_forward(2, True)
  left, right = visit.compare(one, two, 0.5)
  same, _ = visit.compare(one, two, 1.0)
  assert len({path.read_bytes() for path in (left, right, same)}) == 3
  for path in (left, right):
    finding = examine.examine(path, identity.trusted_roots())
    assert (finding.verdict, finding.credentials.state) == (
      'synthetic', 'trusted'
    )  # fmt: skip


def test_new_pictures_end_earlier_people(visit, photographs):
  visit.look(_faces(photographs, 1), None)
  name = visit.feed_forward(1, True)
  looks = visit.look([photographs / 'wall.png'], None)
  assert looks[0].sentence.startswith('wall.png: no face found')
  with pytest.raises(UserError, match='no such person'):
    visit.animate(name, Options(), print)
  with pytest.raises(UserError, match='no face is found'):
    visit.feed_forward(1, True)


def test_a_puppet_learns_the_face_and_then_draws(visit, photographs):
  visit.look(_faces(photographs, 1), None)
  puppet = visit.puppet(visit.feed_forward(1, True))
  drawn = [puppet(frame) for frame in footage.frames(11)]
  assert [picture is None for picture in drawn] == [True] * 8 + [False] * 3
  assert drawn[-1].shape == (256, 256, 3)
  assert not np.array_equal(drawn[-1], drawn[-2])
  assert puppet(np.full((192, 192, 3), 127, np.uint8)) is None
  assert visit.puppet('feed-forward, T = 1') is puppet


def test_work_tells_and_gives_its_result():
  def work(tell):
    tell('one')
    tell('two')
    return 3

  news = follow(work, 60)
  assert [next(news), next(news)] == ['one', 'two']
  with pytest.raises(StopIteration) as ended:
    next(news)
  assert ended.value.value == 3


def test_work_ends_when_time_is_up_or_nobody_listens():
  told = []

  def endless(tell):
    while True:
      tell('still at it')
      told.append(1)

  with pytest.raises(UserError, match='longer than the 0 minutes'):
    for _ in follow(endless, 0):
      pass
  news = follow(endless, 60)
  next(news)
  news.close()
  count = -1
  while count != len(told):  # the thread stops at its next word
    count = len(told)
    follow_up = follow(lambda tell: tell('a moment'), 60)
    list(follow_up)


def test_a_mistake_in_the_work_arrives():
  def work(tell):
    raise UserError('wrong file')

  with pytest.raises(UserError, match='wrong file'):
    list(follow(work, 60))
