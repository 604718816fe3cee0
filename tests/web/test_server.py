"""The page over HTTP: who may ask for what, and what stays of a visit."""

import contextlib
import http.client
import json
import time

import pytest

from flaxheads.web import server, visitors
from flaxheads.web.connection import is_own_host
from tests.benchmark.first_picture import Visit
from tests.web.conftest import PATIENCE

GRACE = 0.3  # seconds


@pytest.fixture
def page(settings, monkeypatch):
  monkeypatch.setattr(visitors, 'GRACE', GRACE)
  monkeypatch.setattr(visitors.Visitors.__init__, '__defaults__', (GRACE,))
  served = server.open_page(settings, '127.0.0.1', 0, warm=False)
  yield served
  served.close()
  assert not list(settings.folder.iterdir())


class Client:
  """A browser's page."""

  def __init__(self, page):
    self.port = page.server_address[1]
    self.token = ''

  def connect(self):
    return http.client.HTTPConnection('127.0.0.1', self.port, PATIENCE)

  def ask(self, method, path, body=None, **headers):
    """Status and body of an answer; names of headers have _ for -."""
    headers = {key.replace('_', '-'): value for key, value in headers.items()}
    with contextlib.closing(self.connect()) as connection:
      connection.request(
        method, path, body, {'X-Session': self.token, **headers}
      )
      answer = connection.getresponse()
      return answer.status, answer.read()

  def join(self):
    status, body = self.ask('POST', '/join', '')
    assert status == 200
    self.token = json.loads(body)['token']

  def change(self, **values):
    return self.ask('POST', '/change', json.dumps(values))

  def upload(self, where, path):
    return self.ask('POST', f'/{where}?name={path.name}', path.read_bytes())

  @contextlib.contextmanager
  def open(self):
    """The stream of states, as an iterator."""
    with contextlib.closing(self.connect()) as connection:
      connection.request('GET', '/events', headers={'X-Session': self.token})
      answer = connection.getresponse()
      assert answer.status == 200
      yield map(json.loads, answer)
      answer.close()


def _first(states, condition):
  return next(state for state in states if condition(state))


def _joined(page):
  client = Client(page)
  client.join()
  return client


def test_from_upload_to_download_and_a_reload(page, given):
  client = _joined(page)
  with client.open() as states:
    client.change(do='may', may=True)
    assert client.upload('picture', given.head)[0] == 200
    assert client.upload('driver', given.driver)[0] == 200
    state = _first(states, lambda state: state['result'])
  with client.open() as states:  # the page is loaded again
    assert next(states)['result'] == state['result']
    for path, start in (
      (f'/mine/picture?id={state["pictures"][0]["id"]}', b'\xff\xd8'),
      ('/mine/driver', given.driver.read_bytes()[:8]),
    ):
      assert client.ask('GET', path)[1].startswith(start)
    status, video = client.ask('GET', '/mine/result')
    assert status == 200
    status, said = client.ask('POST', '/verify?name=x.mp4', video)
    assert 'x.mp4: synthetic' in json.loads(said)['said']
    assert str(page.visitors.settings.folder) not in said.decode()
    client.change(do='forget')
    assert not _first(states, lambda state: not state['result'])['driver']


def test_nothing_stays_of_a_visitor_who_has_left(page, given):
  client = _joined(page)
  with client.open():
    client.upload('driver', given.driver)
    time.sleep(3 * GRACE)
    assert list(page.visitors.settings.folder.iterdir())
  deadline = time.monotonic() + PATIENCE
  while list(page.visitors.settings.folder.iterdir()):
    assert time.monotonic() < deadline, 'files stay'
    time.sleep(0.05)
  assert client.change(do='cancel')[0] == 410


def test_visitors_do_not_see_one_another(page, given):
  first, second = _joined(page), _joined(page)
  with first.open(), second.open() as states:
    first.upload('driver', given.driver)
    assert next(states)['driver'] is None
    assert second.ask('GET', '/mine/driver')[0] == 422
    guest = Client(page)
    assert guest.ask('GET', '/mine/driver')[0] == 410
    assert guest.ask('GET', '/events')[0] == 410
    status, said = guest.ask('POST', '/join', '')
    assert status == 422 and b'2 visitors use the page already' in said


@pytest.mark.parametrize(
  'headers, status',
  [
    ({}, 200),
    ({'Origin': 'http://127.0.0.1:{port}'}, 200),
    ({'Host': 'localhost:{port}'}, 200),
    ({'Origin': 'https://evil.example'}, 403),
    ({'Origin': 'null'}, 403),
    ({'Origin': 'http://127.0.0.1:1'}, 403),
    ({'Sec_Fetch_Site': 'cross-site'}, 403),
    ({'Host': 'evil.example:{port}'}, 421),
    ({'Host': ''}, 421),
  ],
)
def test_requests_of_other_sites_are_refused(page, headers, status):
  client = Client(page)
  port = client.port
  headers = {key: value.format(port=port) for key, value in headers.items()}
  assert client.ask('POST', '/join', '', **headers)[0] == status
  assert client.ask('GET', '/', **headers)[0] == (
    200 if 'Sec_Fetch_Site' in headers else status
  )


def test_hosts():
  for host in ('localhost', '10.0.0.7:80', '[::1]:7860', 'heads.example'):
    assert is_own_host(host, 'heads.example'), host
  for host in ('', 'evil.example', '127.0.0.1.evil.example', 'a@b', '[x'):
    assert not is_own_host(host, 'heads.example'), host


def test_only_files_of_the_page_are_served(page):
  client = Client(page)
  for path in ('/', '/page.js', '/page.css', '/examples/ada.jpg'):
    assert client.ask('GET', path)[0] == 200
  for path in ('/../server.py', '/%2e%2e/server.py', '//etc/passwd', '/x'):
    assert client.ask('GET', path)[0] == 404


def test_what_is_too_large_or_unknown_is_refused(page, given):
  client = _joined(page)
  answers = [
    client.ask('POST', '/driver?name=a.mp4', b'x' * 1_000_001),
    client.ask('POST', '/driver?name=a.mp4', Transfer_Encoding='chunked'),
    client.ask('POST', '/change', 'x' * 10_001),
    client.ask('POST', '/nothing', 'x'),
    *(client.change(**wrong) for wrong in (
      {}, {'do': 'fly'}, {'do': 'may', 'x': 1}, {'do': 'face', 'id': 1},
    )),
    client.ask('POST', '/change', '[]'),
    client.ask('POST', '/live', b'no image'),
  ]  # fmt: skip
  assert [status for status, _ in answers] == ([413, 411, 413, 404] + [422] * 6)
  assert b'larger than 1 MB' in answers[0][1]
  (folder,) = page.visitors.settings.folder.iterdir()
  assert not list(folder.iterdir())


def test_the_benchmarks_visit_gets_its_video(page, given):
  visit = Visit(page.server_address[1])
  visit.give(given.head, given.driver)
  states = []
  for state in visit.states():
    states.append(state)
    if state['result']:
      break
  assert states[-1]['result']['name'] == 'head.mp4'
  assert states[-1]['may'] and not states[-1]['wrong']
