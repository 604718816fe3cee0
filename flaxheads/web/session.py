"""One visitor of the page: files, the person, and the video made of them."""

import dataclasses
import itertools
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np

from flaxheads.errors import UserError
from flaxheads.web import files
from flaxheads.web.files import READY, WAITING, WRONG, File
from flaxheads.web.jobs import Job, Queue
from flaxheads.web.live import View
from flaxheads.web.making import Making
from flaxheads.web.settings import Options, Settings

_NEED_PICTURES = 'give a picture of a person first'
_NEED_RIGHTS = (
  'tick the box that says that you may animate who is shown, or use an example'
)


class Session:
  """A visitor. Videos are made as soon as all that they need is there.

  Methods are called from any thread. Whatever they change wakes those that
  wait for `changed`.
  """

  def __init__(self, settings: Settings, queue: Queue):
    """Args: what all visitors share, and the queue of all jobs."""
    self._settings, self._queue = settings, queue
    self._numbers = itertools.count(1)
    self.folder = Path(tempfile.mkdtemp(prefix='visitor-', dir=settings.folder))
    self.changed = threading.Condition(threading.RLock())
    self.version, self.closed = 0, False
    self._clear()

  def _clear(self):
    self.pictures: list[File] = []
    self.driver: File | None = None
    self.may, self.options = False, Options()
    self._jobs: list[Job] = []
    self._rendering: tuple[Any, Job | None] = (None, None)
    self._making = Making(self._settings)
    self._warnings: list[str] = []
    self.result: Path | None = None
    self.preview: tuple[int, bytes] = (0, b'')
    self._wrong = ''

  def close(self) -> None:
    """Ends all jobs and removes everything of the visitor."""
    with self.changed:
      self.closed = True
      self.forget()
    shutil.rmtree(self.folder, ignore_errors=True)

  def forget(self) -> None:
    """Removes everything that the visitor gave, and what was made of it."""
    with self.changed:
      for job in self._jobs:
        job.cancel()
      self._clear()
      for path in self.folder.iterdir():
        shutil.rmtree(path, ignore_errors=True)
      self._wake()

  def _wake(self):
    with self.changed:
      self.version += 1
      self.changed.notify_all()

  @property
  def busy(self) -> bool:
    """Whether a job runs or waits."""
    return bool(self._jobs)

  def state(self) -> dict:
    """All that the page shows, JSON values."""
    with self.changed:
      job = self._jobs[0] if self._jobs else None
      shown = ('label', 'done', 'total', 'ahead')
      return {
        'pictures': [file.describe() for file in self.pictures],
        'driver': self.driver and self.driver.describe(),
        'needs_rights': any(file.needs_rights for file in self._usable()),
        'may': self.may,
        'options': dataclasses.asdict(self.options),
        'job': job and {name: getattr(job, name) for name in shown},
        'preview': self.preview[0],
        'result': self.result
        and {'id': self.result.parent.name, 'name': self.result.name},
        'wrong': self._wrong,
        'warnings': self._warnings,
      }

  # --- files

  def new_path(self, name: str) -> Path:
    """Where an uploaded file is to be written; its folder is new."""
    folder = self.folder / str(next(self._numbers))
    folder.mkdir()
    return folder / files.safe_name(name)

  def add_picture(self, path: Path, is_example: bool = False) -> None:
    """Takes a picture, or a video, of the person.

    Args:
      path: of `new_path`.
      is_example: whether it came with the page.

    Raises:
      UserError: too many.
    """
    with self.changed:
      if len(self.pictures) >= (most := self._settings.limits.max_pictures):
        shutil.rmtree(path.parent)
        raise UserError(f'the page takes at most {most} photographs')
      file = File(path.parent.name, path, is_example)
      self.pictures.append(file)
      self._read(file)

  def set_driver(self, path: Path | None, is_example: bool = False) -> None:
    """Takes a driver in place of the earlier one; None: only removes that."""
    with self.changed:
      if self.driver:
        shutil.rmtree(self.driver.path.parent, ignore_errors=True)
      self.driver = path and File(path.parent.name, path, is_example)
      if path:
        self._read(self.driver)
      self._advance()

  def remove(self, file_id: str) -> None:
    """Removes a picture."""
    with self.changed:
      kept = [file for file in self.pictures if file.id != file_id]
      for file in set(self.pictures) - set(kept):
        shutil.rmtree(file.path.parent, ignore_errors=True)
      self.pictures = kept
      self._advance()

  def choose_face(self, file_id: str, face: int) -> None:
    """Chooses a face of a picture, from 0 at the left."""
    with self.changed:
      for file in self.pictures:
        if file.id == file_id and 0 <= face < file.num_faces:
          file.face, file.state, file.sentence = face, WAITING, ''
          self._read(file)

  def _read(self, file):
    """Submits the job that finds a file's face."""

    def work(job):
      if file is self.driver:
        most = self._settings.limits.max_driver_frames
        files.read_driver(file, most, job.tell)
        return
      files.read_picture(file, job.tell)

    def then(_, wrong):
      file.state, file.sentence = (WRONG, wrong) if wrong else (READY, '')
      if file is not self.driver and not file.num_faces:
        shutil.rmtree(file.path.parent, ignore_errors=True)

    self._submit(f'Reading {file.path.name}', work, then)

  # --- jobs

  def _submit(self, label, work, then) -> Job | None:
    def finished(result, wrong):
      with self.changed:
        if job in self._jobs:
          self._jobs.remove(job)
          then(result, wrong)
          self._advance()

    job = Job(label, work, finished, self._wake)
    try:
      self._queue.submit(job)
    except UserError as error:
      then(None, str(error))
      job = None
    else:
      self._jobs.append(job)
    self._wake()
    return job

  def cancel(self) -> None:
    """Cancels all jobs."""
    with self.changed:
      for job in self._jobs:
        job.cancel()
      self._jobs = []
      for file in (*self.pictures, *filter(None, [self.driver])):
        if file.state == WAITING:
          file.state, file.sentence = WRONG, f'{file.path.name}: cancelled'
      self._rendering, self._wrong = (self._wanted(), None), 'Cancelled.'
      self._wake()

  def again(self) -> None:
    """Goes on after an error or a cancellation."""
    with self.changed:
      for file in (*self.pictures, *filter(None, [self.driver])):
        if file.state == WRONG and not file.num_faces and file.path.exists():
          file.state, file.sentence = WAITING, ''
          self._read(file)
      self._rendering, self._wrong = (None, None), ''
      self._advance()

  # --- the video

  def set_may(self, may: bool) -> None:
    """Whether the visitor says that they may animate who is shown."""
    with self.changed:
      self.may = bool(may)
      self._advance()

  def set_options(self, **chosen) -> None:
    """Changes some of Options.

    Raises:
      UserError: one that does not exist.
    """
    with self.changed:
      self.options = self.options.change(**chosen)
      self._advance()

  def _usable(self) -> list[File]:
    return [file for file in self.pictures if file.state == READY]

  def _who(self):
    """What the person is made of; None while that is missing."""
    usable = self._usable()
    needed = any(file.needs_rights for file in usable)
    waiting = any(file.state == WAITING for file in self.pictures)
    if waiting or not usable or (needed and not self.may):
      return None
    return tuple((file.id, file.face) for file in usable)

  def _wanted(self):
    """What the video is made of; None while something is missing."""
    who, driver = self._who(), self.driver
    if who is None or driver is None or driver.state != READY:
      return None
    return who, driver.id, self.options

  def _advance(self):
    """Makes the video that is wanted now, unless that is done already."""
    wanted = self._wanted()
    made_of, job = self._rendering
    if not self.closed and wanted != made_of:
      if job in self._jobs:
        job.cancel()
        self._jobs.remove(job)
      if self.result:
        shutil.rmtree(self.result.parent, ignore_errors=True)
      self.result, self._wrong, self.preview = None, '', (0, b'')
      self._rendering = (wanted, None)
      if wanted:
        self._rendering = (wanted, self._render(self.options))
    self._wake()

  def _render(self, options):
    pictures, driver, making = self._usable(), self.driver, self._making

    def show(number, image):
      self.preview = number + 1, image

    def work(job):
      person = making.person(pictures)
      self._warnings = person.info['remarks']
      job.tell('Matching the motion to the person')
      path = self.new_path(f'{pictures[0].path.stem}.mp4')
      try:
        making.render(person, driver, options, path, job, show)
      except BaseException:
        shutil.rmtree(path.parent, ignore_errors=True)
        raise
      return path

    def then(path, wrong):
      self.result, self._wrong, self.preview = path, wrong, (0, b'')

    return self._submit('Making the video', work, then)

  def live(self, image: np.ndarray) -> View:
    """The person as the camera's frame moves them, uint8 RGB [H, W, 3].

    Raises:
      UserError: no person, or no right to animate them.
    """
    with self.changed:
      who, pictures, making = self._who(), self._usable(), self._making
    if who is None:
      raise UserError(_NEED_RIGHTS if pictures else _NEED_PICTURES)
    return making.live(pictures, image)
