"""What one visitor of the page does: pictures, driver, people, videos."""

import dataclasses
import itertools
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from flaxheads import fewshot
from flaxheads.data.driver import Driver, load_driver
from flaxheads.data.support import Support
from flaxheads.errors import UserError, check_range
from flaxheads.fewshot import animation, casting, suitability
from flaxheads.fewshot.person import Person
from flaxheads.landmarks.detect import make_detector
from flaxheads.provenance import rights
from flaxheads.provenance.examine import sha256_of, sha256_of_all
from flaxheads.provenance.marks import Marks, Stamp, default_marks
from flaxheads.web import looks as looking
from flaxheads.web.live import Puppet
from flaxheads.web.studio import Options, Studio

_TICKED = 'by the box on the page'


def _digest(paths: Sequence[Path]) -> str:
  """As if the files were given to a command: alone, or in a folder."""
  return sha256_of(paths[0]) if len(paths) == 1 else sha256_of_all(paths)


class Visit:
  """A visitor's pictures and what was made of them."""

  def __init__(self, studio: Studio):
    self._studio = studio
    self._numbers = itertools.count()
    self.folder = Path(tempfile.mkdtemp(prefix='visit-', dir=studio.folder))
    self._looks: list[looking.Look] = []
    self._digest, self._needs_rights = '', True
    self._driver: Driver | None = None
    self._driver_path: Path | None = None
    self._live: tuple[str, Puppet] | None = None
    self._fits: dict[tuple, Driver] = {}
    self.people: dict[str, Person] = {}

  def close(self) -> None:
    """Removes the visitor's files."""
    shutil.rmtree(self.folder, ignore_errors=True)

  def _size(self) -> int:
    return self._studio.model.config.image_size

  def _path(self, suffix: str) -> Path:
    return self.folder / f'{next(self._numbers)}{suffix}'

  # --- what is given

  def look(
    self,
    paths: Sequence[Path],
    face: int | None,
    tell: Callable[[str], None] = lambda name: None,
  ) -> list[looking.Look]:
    """Takes the pictures of a person, in place of earlier ones.

    Args:
      paths: pictures or videos; of a video its first frames are read.
      face: which face, from the left; None: the only one.
      tell: called with the name of each file before it is read.

    Raises:
      UserError: too many.
    """
    self._looks, self.people, self._live, self._fits = [], {}, None, {}
    limits = self._studio.limits
    if len(paths) > (most := limits.max_pictures):
      raise UserError(f'{len(paths)} files; the page takes {most} at most')
    self._looks = looking.look_at(
      paths, self._size(), face, limits.max_driver_frames, tell
    )
    usable = [look.path for look in self._looks if look.support]
    # Now, for uploaded files do not stay.
    self._digest = _digest(usable)
    self._needs_rights = any(map(rights.are_needed, usable))
    return self._looks

  @property
  def num_shots(self) -> int:
    """How many frames with a face there are; 0 where there is none."""
    usable = [look.support for look in self._looks if look.support]
    total = sum(len(support.frames) for support in usable)
    return min(total, self._studio.limits.max_pictures)

  def take_driver(self, path: Path | None) -> list[np.ndarray]:
    """Reads what shall move the person.

    Returns:
      uint8 [256, 256, 3] each, moments of it with its landmarks.

    Raises:
      UserError: it cannot be read, or shows no face.
    """
    self._driver, self._driver_path, self._fits = None, None, {}
    if path is None:
      return []
    most = self._studio.limits.max_driver_frames
    kept = Path(tempfile.mkdtemp(dir=self.folder)) / path.name
    shutil.copyfile(path, kept)  # uploaded files do not stay
    path = kept
    try:
      driver = load_driver(path, self._size(), max_frames=most)
    except UserError as error:
      raise UserError(looking.in_words(error, [path])) from None
    self._driver, self._driver_path = driver, path
    return looking.show_driver(driver)

  # --- people

  def remarks(self) -> list[str]:
    """Why the pictures are unsuitable, in sentences."""
    if not self.num_shots:
      return []
    support = looking.join(self._looks, self._studio.limits.max_pictures)
    return suitability.remarks(support, 'the pictures')

  def _support(self, num_shots: int, may: bool) -> tuple[Support, dict]:
    """T frames, and what is recorded of them."""
    support = looking.join(self._looks, num_shots)
    how = ''
    if self._needs_rights:
      if not may:
        raise UserError(
          'only with the right to it: tick the box that says that you may'
          ' animate who is shown, or use the sample heads'
        )
      how = _TICKED
    facts = {'source_sha256': self._digest, **rights.record(how)}
    return support, facts

  def _add(self, person: Person, support: Support, facts: dict) -> str:
    info = {**person.info, **facts}
    person = dataclasses.replace(person, info=info, portrait=support.portrait)
    name = f'{info["method"]}, T = {info["num_shots"]}'
    self.people[name] = person
    while len(self.people) > self._studio.limits.max_people:
      self.people.pop(next(iter(self.people)))
    self._live = None
    return name

  def feed_forward(self, num_shots: int, may: bool) -> str:
    """Makes a person at once.

    Args:
      num_shots: T.
      may: whether the visitor says that they have the right to.

    Returns:
      The person's name in `people`.

    Raises:
      UserError: no face, or no right to it.
    """
    support, facts = self._support(num_shots, may)
    person = fewshot.feed_forward(
      self._studio.model, support.frames, support.points
    )
    return self._add(person, support, facts)

  def finetune(
    self,
    num_shots: int,
    num_steps: int,
    may: bool,
    tell: Callable[[tuple[fewshot.Progress, np.ndarray]], None],
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
    support, facts = self._support(num_shots, may)
    check_range('steps', num_steps, 1)
    config = self._studio.finetuning
    config = dataclasses.replace(
      config, min_steps=min(config.min_steps, num_steps), max_steps=num_steps
    )

    def show(progress):
      tell((progress, self.still(progress.person(), support.points[0])))

    model = self._studio.model
    person = fewshot.finetune(
      model,
      support.frames,
      support.points,
      config,
      0,
      show,
      fewshot.make_examiner(model),
    )
    return self._add(person, support, facts)

  # --- pictures and videos

  def _marks(self, person: Person, drivers=(), label=False) -> Marks:
    facts = casting.describe_origin(person, map(sha256_of, drivers))
    digest = person.info.get('model_sha256', '')
    marks = default_marks(digest, facts, self._studio.signer)
    return dataclasses.replace(marks, label=label)

  def still(self, person: Person, points: np.ndarray) -> np.ndarray:
    """One picture for the page: watermark and visible label, uint8."""
    (drawn,) = next(fewshot.animate_batches(person, points[None], batch_size=1))
    picture = animation.resize(drawn, looking.SHOWN)[None]
    return np.asarray(Stamp(self._marks(person, label=True))(picture))[0]

  def _find(self, name: str) -> Person:
    if name not in self.people:
      raise UserError('there is no such person yet; make one first')
    return self.people[name]

  def _fitted(self, name: str, options: Options) -> Driver:
    """The driver for a person; kept, for fitting takes a moment."""
    if self._driver is None:
      raise UserError('there is no driver yet; give a video that shows a face')
    key = (name, options.retarget, options.paste_back)
    if key not in self._fits:
      person = self._find(name)
      digest = sha256_of(self._driver_path)
      wanted = casting.wants_retargeting(options.retarget, person, digest)
      self._fits[key] = casting.fit_driver(
        person, self._driver, wanted, options.paste_back
      )
    return self._fits[key]

  def animate(
    self, name: str, options: Options, tell: Callable[[tuple[int, int]], None]
  ) -> Path:
    """Writes the video of a person, moved by the driver; signed.

    Args:
      name: of the person.
      options: how.
      tell: called with the number of frames done and to do.

    Raises:
      UserError: no such person, or no driver.
    """
    person = self._find(name)
    driver = self._fitted(name, options)
    if not options.sound:
      driver = driver._replace(sound=None)
    paste = None
    if options.paste_back:
      paste = casting.make_paste(person, driver.points)

    def count(frames):
      for done, frame in enumerate(frames):
        tell((done, len(driver.points)))
        yield frame

    path = self._path('.mp4')
    marks = self._marks(person, [self._driver_path], options.label)
    animation.render(
      person, driver, path, looking.SHOWN, marks, count, paste, keep=False
    )
    return path

  def compare(self, left: str, right: str, moment: float) -> tuple[Path, Path]:
    """Two people in the same moment of the driver, as signed pictures.

    Args:
      left: name of a person.
      right: of another, or the same.
      moment: from 0, the beginning, to 1.

    Raises:
      UserError: no such person, or no driver.
    """
    paths = []
    for name in (left, right):
      person, points = self._find(name), self._fitted(name, Options()).points
      point = points[round(moment * (len(points) - 1))]
      drawn = next(fewshot.animate_batches(person, point[None], batch_size=1))
      picture = animation.resize(drawn[0], looking.SHOWN)
      path = self._path('.png')
      marks = self._marks(person, [self._driver_path], label=True)
      animation.write_marked_png(path, picture, marks)
      paths.append(path)
    return tuple(paths)

  def puppet(self, name: str) -> Puppet:
    """What draws a person before the camera; kept from frame to frame."""
    if self._live is None or self._live[0] != name:
      person = self._find(name)
      puppet = Puppet(
        person,
        make_detector(tracking=True),
        self._marks(person, label=True),
        looking.SHOWN,
      )
      self._live = (name, puppet)
    return self._live[1]
