"""The sessions of the page's visitors by token, and their end."""

import contextlib
import ctypes
import gc
import platform
import secrets
import shutil
import threading
import time
from collections.abc import Iterator

import jax

from flaxheads.errors import UserError
from flaxheads.web.jobs import Job, Queue
from flaxheads.web.session import Session
from flaxheads.web.settings import Settings

GRACE = 30.0  # seconds without a connection, such as during a reload
_SWEEP = 5.0  # seconds
_VISITS = 8  # after so many, compiled programs are dropped


class Visitors:
  """All sessions. One ends when its page has been closed for GRACE seconds."""

  def __init__(self, settings: Settings, grace: float = GRACE):
    """Starts the thread that ends sessions.

    Args:
      settings: what all visitors share.
      grace: seconds.
    """
    limits = settings.limits
    self.settings = settings
    self.queue = Queue(limits.max_waiting, limits.max_minutes)
    self._grace, self._lock = grace, threading.Lock()
    self._sessions: dict[str, Session] = {}
    self._connections: dict[str, int] = {}
    self._left: dict[str, float] = {}
    self._closed, self._ended = threading.Event(), 0
    threading.Thread(target=self._run, daemon=True, name='visitors').start()

  def join(self) -> str:
    """Makes a session, and returns its token.

    Raises:
      UserError: too many visitors.
    """
    token = secrets.token_urlsafe(32)
    with self._lock:
      if len(self._sessions) >= self.settings.limits.max_visitors:
        raise UserError(
          f'{len(self._sessions)} visitors use the page already; try again'
          ' later'
        )
      self._sessions[token] = Session(self.settings, self.queue)
      self._connections[token] = 0
      self._left[token] = time.monotonic()
    return token

  def find(self, token: str) -> Session | None:
    """The session of a token; None where it has ended."""
    with self._lock:
      return self._sessions.get(token)

  @contextlib.contextmanager
  def connected(self, token: str) -> Iterator[None]:
    """While this lasts, the session of an open page does not end."""
    with self._lock:
      self._connections[token] += 1
    try:
      yield
    finally:
      with self._lock:
        self._left[token] = time.monotonic()
        if token in self._connections:
          self._connections[token] -= 1

  def sweep(self) -> None:
    """Ends the sessions of closed pages, and removes what is left of them."""
    now = time.monotonic()
    with self._lock:
      gone = [
        token
        for token, count in self._connections.items()
        if not count and now - self._left[token] > self._grace
      ]
      ended = [self._sessions.pop(token) for token in gone]
      for token in gone:
        del self._connections[token], self._left[token]
      kept = {session.folder for session in self._sessions.values()}
      folders = set(self.settings.folder.glob('visitor-*')) - kept
    for session in ended:
      session.close()
    for folder in folders:  # a job may have written after its end
      shutil.rmtree(folder, ignore_errors=True)
    if ended:
      self._free(len(ended))

  def _free(self, count):
    """Frees memory when no job runs."""
    self._ended += count
    if full := self._ended >= _VISITS:
      self._ended = 0

    def nothing(*_):
      pass

    with contextlib.suppress(UserError):  # a full queue; then next time
      self.queue.submit(
        Job('Freeing memory', lambda _: _free_memory(full), nothing, nothing)
      )

  def close(self) -> None:
    """Ends all sessions."""
    self._closed.set()
    with self._lock:
      sessions = list(self._sessions.values())
      self._sessions = {}
    for session in sessions:
      session.close()
    self.queue.close()

  def _run(self):
    while not self._closed.wait(min(_SWEEP, self._grace)):
      self.sweep()


def _free_memory(programs: bool) -> None:
  """Returns unused memory to the system.

  Args:
    programs: whether to drop compiled programs as well. Each size of photograph
      has some, 10 MB in all; those of all visitors come back from the
      compilation cache, if there is one, in a second.
  """
  if programs:
    jax.clear_caches()
  gc.collect()
  if platform.libc_ver()[0] == 'glibc':  # else it keeps a fifth of the memory
    ctypes.CDLL(None).malloc_trim(0)
