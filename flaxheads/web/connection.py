"""One HTTP connection: requests and responses.

A visitor's token is in a header that only the page's own script can send, never
in an address or a cookie, so other sites cannot use it.
"""

import contextlib
import ipaddress
import json
import shutil
import threading
import traceback
import urllib.parse
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from absl import logging

from flaxheads.errors import UserError
from flaxheads.web import requests

TOKEN = 'X-Session'
_STATIC = Path(__file__).with_name('static')
_TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.jpg': 'image/jpeg',
  '.mp4': 'video/mp4',
}
_HEADERS = {
  'Content-Security-Policy': (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'"
    " blob: data:; media-src 'self' blob:; connect-src 'self'; form-action"
    " 'none'; base-uri 'none'; frame-ancestors 'none'"
  ),
  'X-Content-Type-Options': 'nosniff',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'same-origin',
  'Cache-Control': 'no-store',
}
_TIMEOUT = 30.0  # seconds without a byte from a client
_KEEP_ALIVE = 2.0  # seconds between two messages of an event stream
_LEAST_APART = 0.1  # seconds
_CHUNK = 1 << 16
_LINGER = 1.0  # seconds to wait for the rest of a refused body
_MAX_UNREAD = 1 << 30  # bytes of it
_MAX_JSON = 10_000  # bytes
_MAX_FRAME = 2 << 20  # bytes of an image of the camera


def is_own_host(host: str, name: str) -> bool:
  """Whether a Host header names this machine.

  A foreign site whose name is made to lead here (DNS rebinding) sends its own
  name, which is no address.

  Args:
    host: of the header, with or without a port.
    name: the name under which the page is served.
  """
  try:
    hostname = urllib.parse.urlsplit(f'//{host}').hostname or ''
    if hostname not in ('localhost', name.lower()):
      ipaddress.ip_address(hostname)
  except ValueError:
    return False
  return True


class _Refused(Exception):
  def __init__(self, status: HTTPStatus, sentence: str):
    super().__init__(sentence)
    self.status = status


class Connection(BaseHTTPRequestHandler):
  """Answers one client; `server` has `visitors` and `name`."""

  protocol_version = 'HTTP/1.1'
  timeout = _TIMEOUT

  def log_message(self, format: str, *args) -> None:
    """Requests are not logged."""

  def do_GET(self) -> None:
    """Files, images and the stream of states."""
    self._answer(self._get)

  def do_POST(self) -> None:
    """Whatever changes something."""
    self._answer(self._post)

  # --- answers

  def _answer(self, respond: Callable[[str, dict], None]):
    path, _, query = self.path.partition('?')
    try:
      self._check_origin()
      respond(path, dict(urllib.parse.parse_qsl(query)))
    except _Refused as error:
      self._fail(error.status, str(error))
    except UserError as error:
      self._fail(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
    except (ConnectionError, TimeoutError):
      self.close_connection = True
    except Exception:
      logging.error('%s: %s', path, traceback.format_exc())
      self._fail(HTTPStatus.INTERNAL_SERVER_ERROR, 'an error in flaxheads')

  def _check_origin(self):
    host = self.headers.get('Host', '')
    origin = self.headers.get('Origin')
    own = ('', *(f'{scheme}://{host}' for scheme in ('http', 'https')))
    site = self.headers.get('Sec-Fetch-Site', 'none')
    if not is_own_host(host, self.server.name):
      sentence = f'{host}: not a name of this page'
      raise _Refused(HTTPStatus.MISDIRECTED_REQUEST, sentence)
    foreign = self.command == 'POST' and site not in ('same-origin', 'none')
    if (origin or '') not in own or foreign:
      raise _Refused(HTTPStatus.FORBIDDEN, 'a request of another page')

  def _fail(self, status, sentence):
    self.close_connection = True
    self._send(json.dumps({'wrong': sentence}).encode(), '.json', status)
    # A client that still sends a body would miss the answer.
    length = self.headers.get('Content-Length', '')
    left = min(int(length), _MAX_UNREAD) if length.isdecimal() else 0
    with contextlib.suppress(OSError):
      self.connection.settimeout(_LINGER)
      while left > 0 and (piece := self.rfile.read1(min(left, _CHUNK))):
        left -= len(piece)

  def _send(self, body: bytes, kind: str, status=HTTPStatus.OK):
    self.send_response(status)
    for name, value in _HEADERS.items():
      self.send_header(name, value)
    self.send_header('Content-Type', _TYPES.get(kind, _kind(kind)))
    self.send_header('Content-Length', str(len(body)))
    if self.close_connection:
      self.send_header('Connection', 'close')
    self.end_headers()
    self.wfile.write(body)

  # --- what comes

  def _session(self):
    session = self.server.visitors.find(self.headers.get(TOKEN, ''))
    if session is None:
      raise _Refused(HTTPStatus.GONE, 'this visit has ended')
    return session

  def _length(self, most: int) -> int:
    try:
      length = int(self.headers.get('Content-Length', ''))
    except ValueError:
      raise _Refused(HTTPStatus.LENGTH_REQUIRED, 'no length') from None
    if not 0 <= length <= most:
      size = f'{most / 1e6:g} MB' if most >= 1e6 else f'{most} bytes'
      sentence = f'the file is larger than {size}, the most the page takes'
      raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, sentence)
    return length

  def _body(self, most: int) -> bytes:
    return self.rfile.read(self._length(most))

  def _save(self, session, name: str) -> Path:
    """Writes the body to a file of the visitor, a piece at a time."""
    limits = self.server.visitors.settings.limits
    left = self._length(limits.max_megabytes * 10**6)
    path = session.new_path(name)
    try:
      with open(path, 'wb') as file:
        while left:
          if not (piece := self.rfile.read(min(left, _CHUNK))):
            raise ConnectionError
          file.write(piece)
          left -= len(piece)
    except BaseException:
      shutil.rmtree(path.parent, ignore_errors=True)
      raise
    return path

  # --- routes

  def _get(self, path, query):
    if path == '/events':
      self._stream()
    elif path.startswith('/mine/'):
      content, kind = requests.read(self._session(), path, query)
      self._send(content, kind)
    else:
      found = (_STATIC / ('page.html' if path == '/' else path[1:])).resolve()
      if not (found.is_relative_to(_STATIC) and found.is_file()):
        raise _Refused(HTTPStatus.NOT_FOUND, 'no such page')
      self._send(found.read_bytes(), found.suffix)

  def _post(self, path, query):
    visitors = self.server.visitors
    if path == '/join':
      self._body(0)
      self._send(json.dumps({'token': visitors.join()}).encode(), '.json')
      return
    session = self._session()
    if path == '/live':
      answer = requests.live(session, self._body(_MAX_FRAME))
    elif path == '/change':
      answer = requests.change(session, self._body(_MAX_JSON))
    elif take := requests.UPLOADS.get(path):
      answer = take(session, self._save(session, query.get('name', '')))
    else:
      raise _Refused(HTTPStatus.NOT_FOUND, 'no such page')
    self._send(json.dumps(answer).encode(), '.json')

  def _stream(self):
    """A line of JSON after every change of the session's state."""
    session, token = self._session(), self.headers[TOKEN]
    self.close_connection = True
    self.send_response(HTTPStatus.OK)
    for name, value in _HEADERS.items():
      self.send_header(name, value)
    self.send_header('Content-Type', 'application/x-ndjson')
    self.send_header('Connection', 'close')
    self.end_headers()
    seen, waited = -1, threading.Event()
    with self.server.visitors.connected(token):
      while not session.closed:
        with session.changed:
          session.changed.wait_for(
            lambda seen=seen: session.version != seen, _KEEP_ALIVE
          )
          line, seen = json.dumps(session.state()), session.version
        self.wfile.write(line.encode() + b'\n')  # fails once the page is closed
        waited.wait(_LEAST_APART)


def _kind(suffix: str) -> str:
  return 'application/json' if suffix == '.json' else 'application/octet-stream'
