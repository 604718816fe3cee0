"""The page's HTTP server: the standard library's, for one machine."""

import socket
import threading
from http.server import ThreadingHTTPServer

from flaxheads.web import examples
from flaxheads.web.connection import Connection
from flaxheads.web.session import Session
from flaxheads.web.settings import Settings
from flaxheads.web.visitors import Visitors

_MAX_CONNECTIONS = 128
_POLL = 0.05  # seconds; `shutdown` takes as long


class Server(ThreadingHTTPServer):
  """Serves the page; see `open_page`."""

  daemon_threads = True
  request_queue_size = 32

  def __init__(self, visitors: Visitors, host: str, port: int, name: str = ''):
    """Binds the port.

    Args:
      visitors: Visitors.
      host: address to listen at.
      port: at it; 0 chooses one.
      name: under which a proxy serves the page, if any.

    Raises:
      OSError: the address is not free.
    """
    if ':' in host:
      self.address_family = socket.AF_INET6
    self.visitors, self.name = visitors, name or host
    self._free = threading.BoundedSemaphore(_MAX_CONNECTIONS)
    super().__init__((host, port), Connection)

  def process_request(self, request, client_address) -> None:
    """Refuses a connection where there are too many."""
    if not self._free.acquire(blocking=False):
      self.shutdown_request(request)
      return
    super().process_request(request, client_address)

  def process_request_thread(self, request, client_address) -> None:
    """Handles a connection."""
    try:
      super().process_request_thread(request, client_address)
    finally:
      self._free.release()

  def handle_error(self, request, client_address) -> None:
    """A client that has gone is no error."""

  def close(self) -> None:
    """Ends the page and removes what visitors gave."""
    self.shutdown()
    self.server_close()
    self.visitors.close()


def open_page(
  settings: Settings, host: str, port: int, name: str = '', warm: bool = True
) -> Server:
  """Serves the page in threads, until it is closed.

  Args:
    settings: what all visitors share.
    host: address to listen at.
    port: at it; 0 chooses one.
    name: under which a proxy serves the page, if any.
    warm: whether to compile what visitors will need.

  Raises:
    OSError: the address is not free.
  """
  visitors = Visitors(settings)
  server = Server(visitors, host, port, name)
  threading.Thread(
    target=server.serve_forever, args=(_POLL,), daemon=True
  ).start()
  if warm:
    session = Session(
      settings._replace(folder=_warm_up_folder(settings)), visitors.queue
    )
    threading.Thread(
      target=examples.warm_up, args=(session,), daemon=True
    ).start()
  return server


def _warm_up_folder(settings):
  """A folder that no visitor's end removes."""
  folder = settings.folder / 'warm-up'
  folder.mkdir()
  return folder
