"""Downloads from a server of this machine: whole, limited, or one line."""

import hashlib
import http.server
import io
import tarfile
import threading
import zipfile

import pytest
from tqdm import tqdm

from flaxheads.errors import RunFailedError, UserError
from flaxheads.weights import fetch
from flaxheads.weights.source import Part, Source

DATA = bytes(range(256)) * 9000  # more than two blocks


class _Handler(http.server.BaseHTTPRequestHandler):
  """Serves DATA, breaks off, or redirects to a file of this machine."""

  def do_GET(self):
    if self.path == '/elsewhere':
      self.send_response(302)
      self.send_header('Location', 'file:///etc/hostname')
      self.end_headers()
      return
    if 'absent' in self.path:
      self.send_error(404)
      return
    self.send_response(200)
    self.send_header('Content-Length', str(len(DATA)))
    self.end_headers()
    cut = len(DATA) // 2 if 'torn' in self.path else len(DATA)
    self.wfile.write(DATA[:cut])

  def log_message(self, *args):
    pass


@pytest.fixture(scope='module')
def server():
  made = http.server.ThreadingHTTPServer(('127.0.0.1', 0), _Handler)
  threading.Thread(target=made.serve_forever, daemon=True).start()
  yield f'http://127.0.0.1:{made.server_port}'
  made.shutdown()


class _Bar(tqdm):
  seen = []

  def close(self):
    super().close()
    self.seen.append((self.n, self.total))


def _source(*parts):
  return Source('vgg19', parts, '', None, None)


def _fetch(source, folder, mirror=''):
  return fetch.fetch(source, folder, mirror, _Bar)


def test_from_the_publisher(server, tmp_path):
  _Bar.seen.clear()
  (path,) = _fetch(_source(Part(f'{server}/a/x.pth?raw=1', '')), tmp_path)
  assert path == tmp_path / 'x.pth'
  assert path.read_bytes() == DATA
  assert set(_Bar.seen) == {(len(DATA), len(DATA))}


def test_from_a_mirror(server, tmp_path):
  source = _source(Part('https://publisher.invalid/deep/x.pth', ''))
  (path,) = _fetch(source, tmp_path, f'{server}/copies/')
  assert path.read_bytes() == DATA
  # And from a folder, where nothing is copied.
  assert _fetch(source, tmp_path / 'new', str(tmp_path)) == [path]
  with pytest.raises(UserError, match='--mirror=/none: holds no file x.pth'):
    _fetch(source, tmp_path, '/none')


@pytest.mark.parametrize(
  'path, message',
  [
    ('absent.pth', 'absent.pth: HTTP 404: Not Found; .*--mirror'),
    ('torn.pth', 'torn.pth: .*IncompleteRead'),
    ('elsewhere', 'elsewhere: .*file:///etc/hostname'),
  ],
)
def test_what_a_server_does_wrong_is_one_line(server, tmp_path, path, message):
  with pytest.raises(RunFailedError, match=message) as caught:
    _fetch(_source(Part(f'{server}/{path}', '')), tmp_path)
  assert '\n' not in str(caught.value)


def test_a_server_that_is_not_there(tmp_path):
  with pytest.raises(RunFailedError, match='x.pth: .*refused.*--convert=FILE'):
    _fetch(_source(Part('http://127.0.0.1:9/x.pth', '')), tmp_path)


def test_a_download_without_end_is_ended(server, tmp_path, monkeypatch):
  monkeypatch.setattr(fetch, 'MAX_FILE_BYTES', 1 << 20)
  with pytest.raises(RunFailedError, match='sends more than'):
    _fetch(_source(Part(f'{server}/x.pth', '')), tmp_path)


def _archive(path, *names, data=b'weights'):
  with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
    for name in names:
      archive.writestr(name, data)


def test_a_file_of_an_archive(tmp_path, monkeypatch):
  mirror, folder = tmp_path / 'mirror', tmp_path / 'folder'
  mirror.mkdir()
  folder.mkdir()
  source = _source(Part('https://publisher.invalid/a.zip', '', 'x.onnx'))

  def get():
    return _fetch(source, folder, str(mirror))

  # A name that would climb out of the folder is but a name.
  for name in ('x.onnx', 'pack/x.onnx', '../../x.onnx'):
    _archive(mirror / 'a.zip', 'y.onnx', name)
    assert get() == [folder / 'x.onnx']
    assert (folder / 'x.onnx').read_bytes() == b'weights'
  _archive(mirror / 'a.zip', 'a/x.onnx', 'b/x.onnx')
  with pytest.raises(UserError, match='holds 2 files x.onnx, not 1'):
    get()
  monkeypatch.setattr(fetch, 'MAX_FILE_BYTES', 1000)
  _archive(mirror / 'a.zip', 'x.onnx', data=bytes(100_000))  # a small bomb
  with pytest.raises(UserError, match='x.onnx is larger than'):
    get()
  (mirror / 'a.zip').write_bytes(b'PK\x03\x04 torn')
  with pytest.raises(UserError, match='not a whole archive'):
    get()


def test_a_file_of_a_package(tmp_path, monkeypatch):
  """A .tar.gz whose hash is known: nothing else is opened."""
  mirror, folder = tmp_path / 'mirror', tmp_path / 'folder'
  mirror.mkdir()
  folder.mkdir()
  archive = mirror / 'a-1.0.tar.gz'

  def write(*names, kind=tarfile.REGTYPE, data=b'weights'):
    with tarfile.open(archive, 'w:gz') as opened:
      for name in names:
        info = tarfile.TarInfo(name)
        info.type, info.size, info.linkname = kind, len(data), '/etc/hostname'
        opened.addfile(info, io.BytesIO(data))

  def get(sha256=None):
    sha256 = sha256 or hashlib.sha256(archive.read_bytes()).hexdigest()
    url = 'https://publisher.invalid/a-1.0.tar.gz'
    source = _source(Part(url, '', 'x.dat', sha256))
    return _fetch(source, folder, str(mirror))

  for name in ('x.dat', 'a-1.0/b/x.dat', '../../x.dat', '/x.dat'):
    write('y.dat', name)
    assert get() == [folder / 'x.dat']
    assert (folder / 'x.dat').read_bytes() == b'weights'
  with pytest.raises(UserError, match='publisher gives 0000.*damaged or anoth'):
    get('0' * 64)
  write('x.dat', kind=tarfile.SYMTYPE)
  with pytest.raises(UserError, match='holds 0 files x.dat, not 1'):
    get()
  write('a/x.dat', 'b/x.dat')
  with pytest.raises(UserError, match='holds 2 files x.dat, not 1'):
    get()
  monkeypatch.setattr(fetch, 'MAX_FILE_BYTES', 1000)
  write('x.dat', data=bytes(100_000))
  with pytest.raises(UserError, match='x.dat is larger than'):
    get()
  archive.write_bytes(b'\x1f\x8b torn')
  with pytest.raises(UserError, match='not a whole archive'):
    get()


def test_an_archive_of_several_sources_is_downloaded_once(server, tmp_path):
  source = _source(Part(f'{server}/x.pth', ''))
  first = _fetch(source, tmp_path)
  _Bar.seen.clear()
  assert _fetch(source, tmp_path) == first
  assert not _Bar.seen
