"""The page of launch.demo in a browser: from photographs to a verified video.

The page runs in a process of its own, as users start it, with a tiny model.
"""

import re
import shutil
import signal
import socket
import time

import numpy as np
import pytest
from PIL import Image

import flaxheads
from flaxheads.data.image import write_png
from flaxheads.data.video import read_video
from flaxheads.provenance import examine, identity
from tests import tiny_game
from tests.browser.conftest import NAMES
from tests.launch import footage
from tests.launch.commands import start

pytest.importorskip('gradio', reason='gradio is missing; see `make browser`')

PATIENCE = 600_000  # milliseconds: programs are compiled on the way
FRAMES = 5


def _free_port():
  with socket.socket() as probe:
    probe.bind(('127.0.0.1', 0))
    return probe.getsockname()[1]


@pytest.fixture(scope='module')
def material(tmp_path_factory):
  """Photographs, a driver, and files that are of no use."""
  folder = tmp_path_factory.mktemp('material')
  write_png(folder / 'one.png', footage.portrait())
  write_png(folder / 'two.png', footage.portrait(8, 1.1))
  write_png(folder / 'group.png', footage.two_faces())
  write_png(folder / 'wall.png', np.full((96, 96, 3), 127, np.uint8))
  (folder / 'text.png').write_text('not a picture')
  footage.write_video(folder / 'driver.mp4', FRAMES, 25)
  return folder


@pytest.fixture(scope='module')
def served(tmp_path_factory):
  """The page's address, and the folder for its temporary files."""
  folder = tmp_path_factory.mktemp('served')
  temporary = folder / 'temporary'
  temporary.mkdir()
  model = tiny_game.make_model(tiny_game.make_config())
  flaxheads.save_model(folder / 'model', model)
  port = _free_port()
  process = start(
    'demo',
    f'--model={folder / "model"}',
    f'--port={port}',
    '--limits.max_megabytes=1',
    TMPDIR=str(temporary),
  )
  said = process.stdout.readline()
  if str(port) not in said:
    process.kill()
    pytest.fail(said + process.stderr.read())
  yield f'http://127.0.0.1:{port}', temporary
  process.send_signal(signal.SIGTERM)
  assert process.wait(timeout=60) == 0
  # What visitors gave is gone, and what was made of it.
  assert not list(temporary.glob('flaxheads-page-*'))


@pytest.fixture
def opened(page, served):
  page.set_default_timeout(PATIENCE)
  page.goto(served[0])
  page.get_by_role('button', name='Fine-tune', exact=True).wait_for()
  return page


def _give(page, button, *paths):
  with page.expect_file_chooser() as chooser:
    page.get_by_role('button', name=button).first.click()
  chooser.value.set_files([str(path) for path in paths])


def _give_pictures(page, *paths):
  _give(page, 'Click to upload or drop files', *paths)


def _says(page, text):
  page.get_by_text(re.compile(text)).first.wait_for()


def _choose(page, name, option):
  page.get_by_role('combobox', name=name).click()
  page.get_by_role('option', name=option).click()
  # A list goes slowly, and would be taken for the next one.
  page.get_by_role('option').first.wait_for(state='detached')


def _check_names(page):
  """Every control that is seen has a name, and one in words."""
  named = re.compile(
    r'(button|checkbox|radio|slider|spinbutton|combobox|tab)\b'
  )
  lines = page.locator('body').aria_snapshot().splitlines()
  controls = [line.strip(" -'") for line in lines]
  controls = [line for line in controls if named.match(line)]
  assert len(controls) > 3, lines
  for line in controls:
    assert re.match(r'\w+ ".+"', line), f'{line} has no name'
    assert '"common.' not in line


def _check_fits(page):
  """In a narrow window nothing reaches beyond it, pictures neither."""
  size = page.viewport_size
  page.set_viewport_size({'width': 390, 'height': 844})
  page.wait_for_timeout(500)
  assert page.evaluate('document.documentElement.scrollWidth <= innerWidth')
  thumbnails = page.get_by_role('button', name=re.compile('^Thumbnail'))
  assert thumbnails.count() == 2 + 4  # pictures, and moments of the driver
  for place in range(thumbnails.count()):
    box = thumbnails.nth(place).bounding_box()
    assert box['x'] >= 0 and box['x'] + box['width'] <= 390
  page.set_viewport_size(size)


def _alert(page):
  alert = page.get_by_role('alert').first
  alert.wait_for()
  return alert.text_content()


def test_from_photographs_to_a_verified_video(opened, material, tmp_path):
  page = opened
  _give_pictures(page, material / 'one.png', material / 'two.png')
  _says(page, r'2 frame\(s\) with a face')
  assert page.get_by_role('img').count()
  _give(page, 'Drop a video file here', material / 'driver.mp4')
  _says(page, 'A face is found, and followed')

  page.get_by_role('button', name='Fine-tune', exact=True).click()
  assert 'tick the box' in _alert(page)
  page.get_by_label(re.compile('I may animate')).check()
  page.get_by_role('button', name='Fine-tune', exact=True).click()
  bar = page.get_by_role('progressbar', name='Fine-tuning')
  bar.wait_for()
  _says(page, 'Made: fine-tuned, T = 2')
  page.get_by_role('button', name='Without fine-tuning, at once').click()
  _says(page, 'Made: feed-forward, T = 2')
  for people in ('Who is animated', 'On the left', 'On the right'):
    chosen = page.get_by_role('combobox', name=people).input_value()
    assert chosen == 'feed-forward, T = 2'

  _choose(page, 'Who is animated', 'fine-tuned, T = 2')
  page.get_by_role('button', name='Animate', exact=True).click()
  _says(page, 'Done: signed and watermarked')
  with page.expect_download() as download:
    page.get_by_text('Download the signed video').click()
  video = tmp_path / 'me.mp4'
  download.value.save_as(video)
  assert len(read_video(video).frames) == FRAMES
  finding = examine.examine(video, identity.trusted_roots())
  assert (finding.verdict, finding.credentials.state) == (
    'synthetic',
    'trusted',
  )
  facts = finding.credentials.facts
  assert facts['method'] == 'fine-tuned'
  assert facts['rights'] == 'by the box on the page'
  assert [i['role'] for i in facts['ingredients']] == ['portrait', 'driver']

  _choose(page, 'On the left', 'feed-forward, T = 2')
  _choose(page, 'On the right', 'fine-tuned, T = 2')
  page.get_by_role('button', name='Compare', exact=True).click()
  _says(page, 'Left: feed-forward, T = 2. Right: fine-tuned, T = 2')
  _check_names(page)
  _check_fits(page)

  page.get_by_role('tab', name='Verify').click()
  _give(page, 'Click to upload', video)
  _says(page, 'me.mp4: synthetic')


@pytest.mark.parametrize(
  'name, sentence',
  [
    ('text.png', 'text.png: is not an image of a known format'),
    ('wall.png', 'wall.png: no face found in the image'),
    ('group.png', 'group.png: 2 faces; choose one with --face=0'),
  ],
)
def test_a_file_of_no_use_gets_a_sentence(opened, material, name, sentence):
  _give_pictures(opened, material / name)
  said = _alert(opened)
  assert sentence in said
  assert 'Traceback' not in said and '/tmp' not in said
  opened.get_by_label(re.compile('I may animate')).check()
  opened.get_by_role('button', name='Without fine-tuning, at once').click()
  _says(opened, 'no face is found in any of the pictures')


def test_one_bad_file_stops_no_other(opened, material):
  _give_pictures(opened, material / 'wall.png', material / 'one.png')
  _says(opened, r'1 frame\(s\) with a face')
  assert 'wall.png: no face found' in _alert(opened)


def test_which_of_several_faces(opened, material):
  _give_pictures(opened, material / 'group.png')
  assert '2 faces' in _alert(opened)
  _choose(opened, re.compile('Which face'), '1')
  _says(opened, r'1 frame\(s\) with a face')


def test_a_driver_of_no_use_gets_a_sentence(opened, material, tmp_path):
  broken = tmp_path / 'broken.mp4'
  broken.write_bytes((material / 'driver.mp4').read_bytes()[:700])
  _give(opened, 'Drop a video file here', broken)
  assert 'broken.mp4' in _alert(opened)


def test_every_control_has_a_name(opened):
  """As a screen reader finds them, in every tab."""
  for tab in ('Make', 'Live', 'Verify'):
    opened.get_by_role('tab', name=tab).click()
    _check_names(opened)


def test_the_keyboard_reaches_what_matters_in_its_order(opened):
  reached = []
  for _ in range(60):
    opened.keyboard.press('Tab')
    reached.append(
      opened.evaluate(
        'document.activeElement.textContent.trim() ||'
        ' document.activeElement.ariaLabel || document.activeElement.type'
      )
    )
  wanted = [
    'Try it with sample heads',
    'checkbox',  # of the right to it
    'Fine-tune',
    'Without fine-tuning, at once',
    'Animate',
    'Compare',
  ]
  places = [reached.index(name) for name in wanted]
  assert places == sorted(places)


def test_nothing_is_asked_of_other_machines(page, served):
  asked = []
  page.on('request', lambda request: asked.append(request.url))
  page.goto(served[0])
  page.get_by_role('button', name='Fine-tune', exact=True).wait_for()
  page.wait_for_timeout(500)
  own = (served[0], 'data:', 'blob:')
  assert asked and not [url for url in asked if not url.startswith(own)]


def test_files_go_when_the_visitor_does(browser, served, material):
  context = browser.new_context()
  page = context.new_page()
  page.set_default_timeout(PATIENCE)
  page.goto(served[0])
  page.get_by_role('button', name='Fine-tune', exact=True).wait_for()
  _give_pictures(page, material / 'one.png')
  _says(page, r'1 frame\(s\) with a face')
  sessions = set(served[1].glob('flaxheads-page-*/session-*'))
  assert sessions
  context.close()
  deadline = time.monotonic() + 120
  while sessions <= set(served[1].glob('flaxheads-page-*/session-*')):
    assert time.monotonic() < deadline, 'a folder stays'
    time.sleep(0.5)


@pytest.fixture
def filmed(browser, tmp_path):
  """A page whose camera films the tilting face."""
  film = tmp_path / 'camera.mjpeg'
  with film.open('wb') as file:
    for frame in footage.frames(12):
      large = Image.fromarray(frame).resize((480, 480))
      large.save(file, format='JPEG')
  camera = browser.browser_type.launch(
    executable_path=next(filter(None, map(shutil.which, NAMES)), None),
    args=[
      '--no-sandbox',
      '--use-fake-ui-for-media-stream',
      '--use-fake-device-for-media-stream',
      f'--use-file-for-fake-video-capture={film}',
    ],
  )
  context = camera.new_context(permissions=['camera'])
  yield context.new_page()
  camera.close()


def test_the_camera_moves_the_person(filmed, served, material):
  filmed.set_default_timeout(PATIENCE)
  filmed.goto(served[0])
  _give_pictures(filmed, material / 'one.png')
  _says(filmed, r'1 frame\(s\) with a face')
  filmed.get_by_label(re.compile('I may animate')).check()
  filmed.get_by_role('button', name='Without fine-tuning, at once').click()
  _says(filmed, 'Made: feed-forward, T = 1')
  filmed.get_by_role('tab', name='Live').click()
  filmed.get_by_role('button', name=re.compile('camera|access', re.I)).click()
  filmed.get_by_role('button', name=re.compile('capture photo', re.I)).click()
  _says(filmed, r'Live\.')
