"""One visitor of the page: their pictures, driver, people and videos."""

import dataclasses
import functools
import itertools
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flaxheads import api
from flaxheads.data.driver import Driver, load_driver
from flaxheads.data.support import Support
from flaxheads.errors import UserError, check_range
from flaxheads.fewshot import animation_job
from flaxheads.fewshot.animation_job import RenderOptions
from flaxheads.fewshot.person import Person, animate_batches
from flaxheads.fewshot.rendering import resize, write_marked_png
from flaxheads.fewshot.support_warnings import support_warnings
from flaxheads.landmarks.detect import make_detector
from flaxheads.landmarks.follow import Follower
from flaxheads.provenance import rights
from flaxheads.provenance.examine import sha256_of, sha256_of_all
from flaxheads.provenance.marks import Marks, Stamp, default_marks
from flaxheads.web import found_faces
from flaxheads.web.live import LivePerson
from flaxheads.web.settings import Settings

if TYPE_CHECKING:
  from flaxheads.fewshot.finetuning import Progress

_TICKED = 'by the box on the page'


def _digest(paths: Sequence[Path]) -> str:
  """As if the files were given to a command: alone, or in a folder."""
  return sha256_of(paths[0]) if len(paths) == 1 else sha256_of_all(paths)


class Session:
  """A visitor's pictures and what was made of them."""

  def __init__(self, settings: Settings):
    self._settings = settings
    self._numbers = itertools.count()
    self.folder = Path(tempfile.mkdtemp(prefix='session-', dir=settings.folder))
    self._files: list[found_faces.FoundFace] = []
    self._digest, self._needs_rights = '', True
    self._driver: Driver | None = None
    self._live: tuple[str, LivePerson] | None = None
    self._fitted: dict[str, Driver] = {}
    self.people: dict[str, Person] = {}

  def close(self) -> None:
    """Removes the visitor's files."""
    shutil.rmtree(self.folder, ignore_errors=True)

  def _size(self) -> int:
    return self._settings.model.config.image_size

  def _path(self, suffix: str) -> Path:
    return self.folder / f'{next(self._numbers)}{suffix}'

  # --- inputs

  def take_pictures(
    self,
    paths: Sequence[Path],
    face: int | None,
    tell: Callable[[str], None] = lambda name: None,
  ) -> list[found_faces.FoundFace]:
    """Takes the pictures of a person, in place of earlier ones.

    Args:
      paths: pictures or videos; of a video its first frames are read.
      face: which face, from the left; None: the only one.
      tell: called with the name of each file before it is read.

    Raises:
      UserError: too many files.
    """
    self._files, self.people, self._live, self._fitted = [], {}, None, {}
    limits = self._settings.limits
    if len(paths) > (most := limits.max_pictures):
      raise UserError(f'{len(paths)} files; the page takes {most} at most')
    self._files = found_faces.find_faces(
      paths, self._size(), face, limits.max_driver_frames, tell
    )
    usable = [file.path for file in self._files if file.support]
    # Now, because uploaded files are removed later.
    self._digest = _digest(usable)
    self._needs_rights = any(map(rights.are_needed, usable))
    return self._files

  @property
  def num_shots(self) -> int:
    """How many frames with a face there are; 0 where there is none."""
    usable = [file.support for file in self._files if file.support]
    total = sum(len(support.frames) for support in usable)
    return min(total, self._settings.limits.max_pictures)

  def take_driver(self, path: Path | None) -> list[np.ndarray]:
    """Reads the driver.

    Returns:
      uint8 [256, 256, 3] each, moments of it with its landmarks.

    Raises:
      UserError: it cannot be read, or shows no face.
    """
    self._driver, self._fitted = None, {}
    if path is None:
      return []
    most = self._settings.limits.max_driver_frames
    kept = Path(tempfile.mkdtemp(dir=self.folder)) / path.name
    shutil.copyfile(path, kept)  # uploaded files are removed later
    try:
      driver = load_driver(kept, self._size(), max_frames=most)
    except UserError as error:
      raise UserError(found_faces.with_names(error, [kept])) from None
    self._driver = driver
    return found_faces.show_driver(driver)

  # --- people

  def warnings(self) -> list[str]:
    """Why the pictures are unsuitable, in sentences."""
    if not self.num_shots:
      return []
    support = found_faces.join(self._files, self._settings.limits.max_pictures)
    return support_warnings(support, 'the pictures', self._size())

  def _support(self, num_shots: int, may: bool) -> tuple[Support, dict]:
    """T frames, and what is recorded of them."""
    support = found_faces.join(self._files, num_shots)
    if self._needs_rights and not may:
      raise UserError(
        'only with the right to it: tick the box that says that you may'
        ' animate who is shown, or use the sample heads'
      )
    how = _TICKED if self._needs_rights else ''
    return support, {'source_sha256': self._digest, **rights.record(how)}

  def _add(self, person: Person) -> str:
    name = f'{person.info["method"]}, T = {person.info["num_shots"]}'
    self.people[name] = person
    while len(self.people) > self._settings.limits.max_people:
      self.people.pop(next(iter(self.people)))
    self._live = None
    return name

  def feed_forward(self, num_shots: int, may: bool) -> str:
    """Makes a person without fine-tuning.

    Args:
      num_shots: T.
      may: whether the visitor says that they have the right to.

    Returns:
      The person's name in `people`.

    Raises:
      UserError: no face, or no right to it.
    """
    support, info = self._support(num_shots, may)
    return self._add(
      api.person_from_support(self._settings.model, support, info)
    )

  def finetune(
    self,
    num_shots: int,
    num_steps: int,
    may: bool,
    tell: Callable[[tuple['Progress', np.ndarray]], None],
  ) -> str:
    """Fine-tunes a person.

    Args:
      num_shots: T.
      num_steps: at most.
      may: whether the visitor says that they have the right to.
      tell: called with progress and a preview, uint8 [256, 256, 3], marked.

    Returns:
      The person's name in `people`.

    Raises:
      UserError: no face, no right to it, or a model that cannot be fine-tuned.
    """
    support, info = self._support(num_shots, may)
    check_range('steps', num_steps, 1)
    config = self._settings.finetuning
    config = dataclasses.replace(
      config, min_steps=num_steps, max_steps=num_steps
    )

    def show(progress):
      tell((progress, self.still(progress.person(), support.points[0])))

    return self._add(
      api.person_from_support(
        self._settings.model, support, info, config, on_progress=show
      )
    )

  # --- images and videos

  def _maker(self, label):
    return functools.partial(
      default_marks, signer=self._settings.signer, label=label
    )

  def _marks(self, person: Person, drivers=()) -> Marks:
    """Of images, which always carry the label."""
    return animation_job.marks_of(person, drivers, self._maker(label=True))

  def still(self, person: Person, points: np.ndarray) -> np.ndarray:
    """One image for the page: watermark and visible label, uint8."""
    (frame,) = next(animate_batches(person, points[None], batch_size=1))
    image = resize(frame, found_faces.SHOWN)[None]
    return np.asarray(Stamp(self._marks(person))(image))[0]

  def _find(self, name: str) -> Person:
    if name not in self.people:
      raise UserError('there is no such person yet; make one first')
    return self.people[name]

  def _given_driver(self) -> Driver:
    if self._driver is None:
      raise UserError('there is no driver yet; give a video that shows a face')
    return self._driver

  def animate(
    self,
    name: str,
    options: RenderOptions,
    label: bool,
    tell: Callable[[tuple[int, int]], None],
  ) -> Path:
    """Writes the signed video of a person who moves as the driver does.

    Args:
      name: of the person.
      options: how.
      label: whether to burn in a visible label.
      tell: called with the number of frames done and to do.

    Raises:
      UserError: no such person, or no driver.
    """

    def count(frames, name, total):
      del name
      for done, frame in enumerate(frames):
        tell((done, total))
        yield frame

    path = self._path('.mp4')
    api.render_video(
      self._find(name),
      self._given_driver(),
      path,
      options,
      make_marks=self._maker(label),
      show_progress=count,
    )
    return path

  def compare(self, left: str, right: str, moment: float) -> tuple[Path, Path]:
    """Two people in the same moment of the driver, as signed images.

    Args:
      left: name of a person.
      right: of another, or the same.
      moment: from 0, the beginning, to 1.

    Raises:
      UserError: no such person, or no driver.
    """
    paths, driver = [], self._given_driver()
    for name in (left, right):
      person = self._find(name)
      if name not in self._fitted:  # kept, because fitting takes a moment
        fitted, _ = animation_job.fit_driver(person, driver, RenderOptions())
        self._fitted[name] = fitted
      points = self._fitted[name].points
      point = points[round(moment * (len(points) - 1))]
      frames = next(animate_batches(person, point[None], batch_size=1))
      path = self._path('.png')
      image = resize(frames[0], found_faces.SHOWN)
      write_marked_png(path, image, self._marks(person, [driver]))
      paths.append(path)
    return tuple(paths)

  def live(self, name: str) -> LivePerson:
    """A person before the camera; kept from frame to frame."""
    if self._live is None or self._live[0] != name:
      person = self._find(name)
      live = LivePerson(
        person,
        Follower(make_detector(), None, 'the camera'),
        self._marks(person),
        found_faces.SHOWN,
      )
      self._live = (name, live)
    return self._live[1]
