"""The page of launch.demo in a browser: from a photograph to a verified video.

The page runs in a process of its own, as users start it.
"""

import re
import shutil
import signal
import time

import numpy as np
import pytest
from PIL import Image

from flaxheads.data.image import write_png
from flaxheads.data.video import read_video
from flaxheads.provenance import examine, identity
from tests.browser.conftest import NAMES
from tests.launch import footage
from tests.launch.commands import free_port, start

PATIENCE = 300_000  # milliseconds: programs are compiled on the way
FRAMES = 12


@pytest.fixture(scope='module')
def material(tmp_path_factory):
  """Photographs, a driver, and files that are of no use."""
  folder = tmp_path_factory.mktemp('material')
  write_png(folder / 'anna.png', footage.portrait())
  write_png(folder / 'group.png', footage.two_faces())
  write_png(folder / 'wall.png', np.full((96, 96, 3), 127, np.uint8))
  (folder / 'text.png').write_text('not a picture')
  footage.write_video(folder / 'driver.mp4', FRAMES, 25)
  video = (folder / 'driver.mp4').read_bytes()
  (folder / 'broken.mp4').write_bytes(video[:700])
  return folder


@pytest.fixture(scope='module')
def served(tmp_path_factory):
  """The page's address, and the folder for its temporary files."""
  temporary = tmp_path_factory.mktemp('temporary')
  port = free_port()
  process = start('demo', f'--port={port}', TMPDIR=str(temporary))
  said = process.stdout.readline()
  if str(port) not in said:
    process.kill()
    pytest.fail(said + process.stderr.read())
  yield f'http://127.0.0.1:{port}', temporary
  process.send_signal(signal.SIGTERM)
  assert process.wait(timeout=60) == 0
  assert not list(temporary.iterdir())


@pytest.fixture
def opened(page, served):
  page.set_default_timeout(PATIENCE)
  page.goto(served[0])
  _says(page, 'It is made as soon as there is a photograph')
  return page


def _give(page, label, *paths):
  with page.expect_file_chooser() as chooser:
    page.get_by_label(label).click()
  chooser.value.set_files([str(path) for path in paths])


def _says(page, text):
  page.get_by_text(re.compile(text)).first.wait_for()


def _alert(page, text):
  page.get_by_role('alert').filter(has_text=re.compile(text)).first.wait_for()


def _check_names(page):
  """Every control that is seen has a name."""
  named = re.compile(r'(button|checkbox|combobox|tab|progressbar|img)\b')
  lines = page.locator('body').aria_snapshot().splitlines()
  controls = [line.strip(" -'") for line in lines]
  controls = [line for line in controls if named.match(line)]
  assert len(controls) > 3, lines
  for line in controls:
    assert re.match(r'\w+ ".+"', line), f'{line} has no name'


def _check_fits(page):
  """In a narrow window nothing reaches beyond it."""
  size = page.viewport_size
  page.set_viewport_size({'width': 360, 'height': 800})
  page.wait_for_timeout(300)
  assert page.evaluate('document.documentElement.scrollWidth <= innerWidth')
  page.set_viewport_size(size)


def test_from_a_photograph_to_a_verified_video(opened, material, tmp_path):
  page = opened
  _give(page, 'Add photographs', material / 'anna.png')
  page.get_by_role('img', name='The face found in anna.png').wait_for()
  _give(page, 'Choose a video or speech', material / 'driver.mp4')
  _says(page, 'driver.mp4 is ready')
  _says(page, 'as soon as there is a tick that you may')
  page.get_by_label('I may animate').check()
  page.get_by_role('link', name='Download the video').wait_for()
  for video in ('#driver', '#result'):  # both can be played
    page.wait_for_function(f"document.querySelector('{video}').videoWidth > 0")
  page.reload()  # everything is found again
  page.get_by_role('img', name='The face found in anna.png').wait_for()
  with page.expect_download() as download:
    page.get_by_text('Download the video').click()
  assert download.value.suggested_filename == 'anna.mp4'
  video = tmp_path / 'anna.mp4'
  download.value.save_as(video)
  assert len(read_video(video).frames) == FRAMES
  finding = examine.examine(video, identity.trusted_roots())
  assert finding.verdict == 'synthetic'
  assert finding.credentials.facts['rights'] == 'by the box on the page'
  _check_names(page)
  _check_fits(page)
  page.get_by_role('tab', name='Verify').click()
  _give(page, 'Choose a file', video)
  _says(page, 'anna.mp4: synthetic')


def test_examples_need_two_clicks(opened):
  opened.get_by_role('button', name='Ben').click()
  opened.get_by_role('button', name='Talking').click()
  opened.get_by_role('link', name='Download the video').wait_for()
  assert not opened.get_by_label('I may animate').is_visible()


def test_files_of_no_use_get_a_sentence(opened, material):
  names = ('text.png', 'wall.png', 'group.png')
  _give(opened, 'Add photographs', *(material / name for name in names))
  for text in (
    'text.png: is not an image', 'wall.png: no face', 'group.png: shows 2 faces'
  ):  # fmt: skip
    _alert(opened, text)
  opened.get_by_role('button', name='Face 2').click()
  opened.get_by_role('img', name='The face found in group.png').wait_for()
  opened.get_by_role('button', name='Remove wall.png').click()
  opened.get_by_text('wall.png').wait_for(state='detached')
  _give(opened, 'Choose a video or speech', material / 'broken.mp4')
  _says(opened, 'broken.mp4:')


def test_every_control_has_a_name(opened):
  """As a screen reader finds them, in every tab."""
  for tab in ('Make', 'Live', 'Verify'):
    opened.get_by_role('tab', name=tab).click()
    _check_names(opened)


def test_nothing_is_asked_of_other_machines(page, served):
  asked = []
  page.on('request', lambda request: asked.append(request.url))
  page.goto(served[0])
  page.wait_for_timeout(500)
  own = (served[0], 'data:', 'blob:')
  assert asked and not [url for url in asked if not url.startswith(own)]


def test_files_go_when_the_visitor_does(browser, served, material):
  context = browser.new_context()
  page = context.new_page()
  page.set_default_timeout(PATIENCE)
  page.goto(served[0])
  before = set(served[1].glob('flaxheads-page-*/visitor-*'))
  _give(page, 'Choose a video or speech', material / 'driver.mp4')
  _says(page, 'driver.mp4')
  assert before
  context.close()
  deadline = time.monotonic() + 60
  while before & set(served[1].glob('flaxheads-page-*/visitor-*')):
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
  page = context.new_page()
  page.set_default_timeout(PATIENCE)
  yield page
  camera.close()


def test_the_camera_moves_the_person(filmed, served):
  filmed.goto(served[0])
  filmed.get_by_role('button', name='Ben').click()
  filmed.get_by_role('img', name='The face found in ben.jpg').wait_for()
  filmed.get_by_role('tab', name='Live').click()
  filmed.get_by_role('button', name='Start the camera').click()
  filmed.get_by_role('img', name='The person in your pose').wait_for()
  _says(filmed, 'Live: move and speak')
  filmed.get_by_role('button', name='Stop the camera').click()
