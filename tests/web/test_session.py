"""What the page does, without the page."""

import dataclasses

import numpy as np
import pytest

from flaxheads.data.image import write_png
from flaxheads.data.video import read_video
from flaxheads.errors import UserError
from flaxheads.fewshot.animation_job import RenderOptions
from flaxheads.provenance import credentials, examine, identity
from flaxheads.web.background import run_in_background
from flaxheads.web.limits import Limits
from flaxheads.web.session import Session
from flaxheads.web.settings import Settings
from tests import tiny_game
from tests.launch import footage


@pytest.fixture(scope='module')
def settings(tmp_path_factory):
  model = tiny_game.make_model(tiny_game.make_config())
  model = dataclasses.replace(model, info={'sha256': 'a1' * 32})
  folder = tmp_path_factory.mktemp('settings')
  limits = Limits(max_pictures=3, max_people=2, max_driver_frames=4)
  return Settings(model, model.experiment.finetune, limits, folder)


@pytest.fixture(scope='module')
def photographs(tmp_path_factory):
  folder = tmp_path_factory.mktemp('photographs')
  footage.write_pictures(folder / 'face', 4)
  write_png(folder / 'wall.png', np.full((96, 96, 3), 127, np.uint8))
  footage.write_video(folder / 'driver.mp4', 6, 25)
  return folder


@pytest.fixture
def session(settings):
  session = Session(settings)
  yield session
  session.close()
  assert not session.folder.exists()


def _faces(photographs, count):
  return sorted((photographs / 'face').iterdir())[:count]


def test_somebody_elses_pictures_need_the_right_to_them(session, photographs):
  session.take_pictures(_faces(photographs, 2), None)
  for make in (
    lambda: session.feed_forward(1, False),
    lambda: session.finetune(1, 2, False, lambda news: None),
  ):
    with pytest.raises(UserError, match='tick the box'):
      make()
  assert not session.people
  name = session.feed_forward(2, True)
  assert session.people[name].info['rights'] == 'by the box on the page'


def test_of_a_long_video_the_beginning_is_read(session, photographs, tmp_path):
  footage.write_video(tmp_path / 'long.mp4', 9, 25)
  (file,) = session.take_pictures([tmp_path / 'long.mp4'], None)
  assert len(file.support.frames) == 4  # max_driver_frames of these limits
  assert session.num_shots == 3


def test_looking_ends_when_time_is_up(session, photographs):
  news = run_in_background(
    lambda tell: session.take_pictures(_faces(photographs, 3), None, tell), 0
  )
  with pytest.raises(UserError, match='took longer than'):
    list(news)
  assert session.num_shots == 0
  told = []
  session.take_pictures(_faces(photographs, 2), None, told.append)
  assert told == [path.name for path in _faces(photographs, 2)]


def test_ones_own_certificate_signs(settings, photographs):
  own = identity.make_identity()
  session = Session(settings._replace(signer=own))
  session.take_pictures(_faces(photographs, 1), None)
  session.take_driver(photographs / 'driver.mp4')
  name = session.feed_forward(1, True)
  told = []
  made = [session.animate(name, RenderOptions(), False, told.append)]
  made += session.compare(name, name, 0.5)
  root = own.chain[own.chain.rindex(b'-----BEGIN') :]
  for path in made:
    assert credentials.read(path, root).state == 'trusted'
    own_roots = identity.trusted_roots()
    assert credentials.read(path, own_roots).state == 'untrusted'
  session.close()


def test_uploaded_files_may_go(session, photographs, tmp_path):
  """All that is needed later is read, or kept, at once."""
  given = tmp_path / 'me.png'
  given.write_bytes(_faces(photographs, 1)[0].read_bytes())
  driver = tmp_path / 'driver.mp4'
  driver.write_bytes((photographs / 'driver.mp4').read_bytes())
  session.take_pictures([given], None)
  session.take_driver(driver)
  given.unlink()
  driver.unlink()
  name = session.feed_forward(1, True)
  told = []
  path = session.animate(name, RenderOptions(), True, told.append)
  assert told == [(n, 4) for n in range(4)]  # max_driver_frames
  assert len(read_video(path).frames) == 4
  finding = examine.examine(path, identity.trusted_roots())
  assert finding.credentials.state == 'trusted'
  assert finding.credentials.facts['visible_label']


def test_limits_hold(session, photographs):
  with pytest.raises(UserError, match='4 files; the page takes 3 at most'):
    session.take_pictures(_faces(photographs, 4), None)
  session.take_pictures(_faces(photographs, 3), None)
  for shots in (1, 2, 3):
    session.feed_forward(shots, True)
  assert list(session.people) == ['feed-forward, T = 2', 'feed-forward, T = 3']


def test_comparison_is_of_two_people_in_one_moment(session, photographs):
  session.take_pictures(_faces(photographs, 2), None)
  session.take_driver(photographs / 'driver.mp4')
  one, two = session.feed_forward(1, True), session.feed_forward(2, True)
  left, right = session.compare(one, two, 0.5)
  same, _ = session.compare(one, two, 1.0)
  assert len({path.read_bytes() for path in (left, right, same)}) == 3
  for path in (left, right):
    finding = examine.examine(path, identity.trusted_roots())
    assert (finding.verdict, finding.credentials.state) == (
      'synthetic', 'trusted'
    )  # fmt: skip


def test_new_pictures_end_earlier_people(session, photographs):
  session.take_pictures(_faces(photographs, 1), None)
  name = session.feed_forward(1, True)
  files = session.take_pictures([photographs / 'wall.png'], None)
  assert files[0].sentence.startswith('wall.png: no face found')
  with pytest.raises(UserError, match='no such person'):
    session.animate(name, RenderOptions(), False, print)
  with pytest.raises(UserError, match='no face is found'):
    session.feed_forward(1, True)


def test_a_live_person_learns_the_face_first(session, photographs):
  session.take_pictures(_faces(photographs, 1), None)
  live = session.live(session.feed_forward(1, True))
  drawn = [live(frame) for frame in footage.frames(11)]
  assert [picture is None for picture in drawn] == [True] * 8 + [False] * 3
  assert drawn[-1].shape == (256, 256, 3)
  assert not np.array_equal(drawn[-1], drawn[-2])
  assert live(np.full((192, 192, 3), 127, np.uint8)) is None
  assert session.live('feed-forward, T = 1') is live


def test_work_tells_and_gives_its_result():
  def work(tell):
    tell('one')
    tell('two')
    return 3

  news = run_in_background(work, 60)
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
    for _ in run_in_background(endless, 0):
      pass
  news = run_in_background(endless, 60)
  next(news)
  news.close()
  count = -1
  while count != len(told):  # the thread stops at its next word
    count = len(told)
    follow_up = run_in_background(lambda tell: tell('a moment'), 60)
    list(follow_up)


def test_a_mistake_in_the_work_arrives():
  def work(tell):
    raise UserError('wrong file')

  with pytest.raises(UserError, match='wrong file'):
    list(run_in_background(work, 60))
