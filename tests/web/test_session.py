"""A visitor's files become a video, without the page."""

import threading

import cv2
import numpy as np
import pytest

from flaxheads.data.video import read_video
from flaxheads.errors import UserError
from flaxheads.provenance import credentials, examine, identity
from flaxheads.web import examples, files, making
from flaxheads.web.session import Session
from tests.data.coloured_faces import picture
from tests.web.conftest import FRAMES, give, gradient, wait


def test_a_video_is_made_as_soon_as_all_is_there(session, given):
  give(session, given.head, session.add_picture)
  give(session, given.driver, session.set_driver)
  state = wait(session)
  assert state['needs_rights'] and not state['result']  # nobody has said so
  session.set_may(True)
  state = wait(session)
  assert state['result']['name'] == 'head.mp4' and not state['wrong']
  frames = read_video(session.result).frames
  assert len(frames) == FRAMES
  assert frames[0].shape == (120, 200, 3)  # the whole photograph
  finding = examine.examine(session.result, identity.trusted_roots())
  assert finding.verdict == 'synthetic'
  facts = finding.credentials.facts
  assert facts['rights'] == 'by the box on the page'
  assert [i['role'] for i in facts['ingredients']] == ['portrait', 'driver']
  # The photograph itself is deleted as soon as it is read.
  assert not list(session.folder.rglob('*.png'))


def test_an_option_makes_another_video(session, given):
  session.set_may(True)
  give(session, given.head, session.add_picture)
  give(session, given.driver, session.set_driver)
  wait(session)
  first = session.result
  session.set_options(paste_back=False, label=True)
  wait(session)
  assert session.result != first and not first.exists()
  height, width, _ = read_video(session.result).frames[0].shape
  assert height == width  # the head alone
  facts = examine.examine(
    session.result, identity.trusted_roots()
  ).credentials.facts
  assert facts['visible_label']
  for wrong in ({'motion': 'wild'}, {'label': 'yes'}, {'size': 9}):
    with pytest.raises(UserError):
      session.set_options(**wrong)


def test_examples_need_no_rights(session):
  for name in examples.PORTRAITS + examples.DRIVERS:
    assert (examples.FOLDER / name).is_file()
  examples.give(session, examples.PORTRAITS[0])
  examples.give(session, examples.PORTRAITS[1])
  wait(session)
  (file,) = session.pictures  # in place of the one before
  assert file.path.name == examples.PORTRAITS[1]
  assert file.is_example and not session.state()['needs_rights']
  with pytest.raises(UserError, match='not an example'):
    examples.give(session, '../page.js')


def test_which_of_several_faces(session, given):
  give(session, given.two, session.add_picture)
  (file,) = wait(session)['pictures']
  assert file['state'] == 'wrong' and file['num_faces'] == 2
  assert file['sentence'] == (
    'two.png: shows 2 faces; choose one, counted from the left'
  )
  session.choose_face(file['id'], 7)  # there is none
  assert session.state()['pictures'][0]['state'] == 'wrong'
  session.choose_face(file['id'], 1)
  (file,) = wait(session)['pictures']
  assert (file['state'], file['face']) == ('ready', 1)
  x = session.pictures[0].support.portrait.box.x0
  assert x > 80  # of the green square, on the right


def test_a_bad_file_stops_no_other(session, given):
  session.set_may(True)
  give(session, given.wall, session.add_picture)
  give(session, given.head, session.add_picture)
  give(session, given.driver, session.set_driver)
  state = wait(session)
  wall, head = state['pictures']
  assert wall['sentence'].startswith('wall.png: no face found')
  assert head['state'] == 'ready' and state['result']
  session.remove(head['id'])
  assert not wait(session)['result']


def test_too_many_pictures(session, given):
  for _ in range(3):
    give(session, given.head, session.add_picture)
  with pytest.raises(UserError, match='page takes at most 3'):
    give(session, given.head, session.add_picture)
  assert len(session.pictures) == 3


def test_cancelled_work_ends_and_can_be_taken_up(session, given, monkeypatch):
  reached, go_on = threading.Event(), threading.Event()

  def slow(self, person, driver, options, path, job, show):
    (path.parent / 'part').touch()
    reached.set()
    go_on.wait()
    job.tell('Frames', 1, 2)
    path.touch()

  monkeypatch.setattr(making.Making, 'render', slow)
  session.set_may(True)
  give(session, given.head, session.add_picture)
  give(session, given.driver, session.set_driver)
  assert reached.wait(60)
  assert session.state()['job']['label'] == 'Matching the motion to the person'
  session.cancel()
  state = session.state()
  assert not state['job'] and state['wrong'] == 'Cancelled.'
  go_on.set()
  session.again()
  assert wait(session)['result']
  assert not list(session.folder.rglob('part')) or session.result.exists()


def test_a_cancelled_file_is_read_again(session, given, monkeypatch):
  go_on = threading.Event()
  read = files.read_driver

  def slow(file, max_frames, tell):
    go_on.wait()
    read(file, max_frames, tell)

  monkeypatch.setattr(files, 'read_driver', slow)
  give(session, given.driver, session.set_driver)
  session.cancel()
  assert session.state()['driver']['sentence'] == 'driver.mp4: cancelled'
  go_on.set()
  session.again()
  state = wait(session)
  assert (state['driver']['state'], state['wrong']) == ('ready', '')


def test_to_forget_removes_everything(session, given):
  session.set_may(True)
  give(session, given.head, session.add_picture)
  give(session, given.driver, session.set_driver)
  wait(session)
  session.forget()
  assert not list(session.folder.iterdir())
  state = session.state()
  assert not (state['pictures'] or state['driver'] or state['result'])
  assert not state['may']


def test_ones_own_certificate_signs(settings, session, given):
  own = identity.make_identity()
  session = Session(settings._replace(signer=own), session._queue)
  session.set_may(True)
  give(session, given.head, session.add_picture)
  give(session, given.driver, session.set_driver)
  wait(session)
  root = own.chain[own.chain.rindex(b'-----BEGIN') :]
  assert credentials.read(session.result, root).state == 'trusted'
  session.close()


def test_a_live_person_is_seen_at_once(session, given):
  frame = picture({'red': (60, 30, 60)})
  with pytest.raises(UserError, match='give a picture'):
    session.live(frame)
  give(session, given.head, session.add_picture)
  wait(session)
  with pytest.raises(UserError, match='tick the box'):
    session.live(frame)
  session.set_may(True)
  views = [session.live(frame) for _ in range(8)]
  assert views[0].image.shape == (384, 384, 3)
  assert '7 more frames' in views[0].sentence
  assert all(view.image is None for view in views[1:7])
  assert views[7].image is not None and views[7].ok
  moved = session.live(picture({'red': (70, 40, 60)}))
  apart = cv2.absdiff(moved.image, views[7].image)
  assert apart.max() > 30
  lost = session.live(gradient(120, 200))
  assert lost.image is None and not lost.ok
  assert np.array_equal(session.live(frame).image.shape, (384, 384, 3))
