"""Makes the person, videos and live images from a visitor's files."""

import functools
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flaxheads import api
from flaxheads.fewshot import animation_job
from flaxheads.fewshot.person import Person
from flaxheads.fewshot.photo_person import MIN_SIZE
from flaxheads.fewshot.support_warnings import support_warnings
from flaxheads.landmarks.detect import make_detector
from flaxheads.landmarks.follow import Follower
from flaxheads.provenance import rights
from flaxheads.provenance.marks import default_marks
from flaxheads.web import faces, files
from flaxheads.web.files import File
from flaxheads.web.jobs import Job
from flaxheads.web.live import LivePerson, View
from flaxheads.web.settings import Options, Settings

_TICKED = 'by the box on the page'
_PREVIEW = 480  # pixels, at most, of frames that are shown meanwhile
_PREVIEW_EVERY = 4  # frames
_LIVE = 384  # pixels


class Making:
  """Makes the person of some pictures once, and from it whatever is wanted."""

  def __init__(self, settings: Settings):
    """Args: what all visitors share."""
    self._settings = settings
    self._lock = threading.Lock()
    self._made: tuple[Any, Person | None] = (None, None)
    self._live: tuple[Any, LivePerson | None] = (None, None)

  def person(self, pictures: Sequence[File]) -> Person:
    """The person of pictures that show one; info['remarks'] has warnings."""
    key = [(file.id, file.face) for file in pictures]
    with self._lock:
      if self._made[0] != key:
        self._made = key, self._make(pictures)
      return self._made[1]

  def _make(self, pictures):
    supports = [file.support for file in pictures]
    support = faces.join(supports, self._settings.limits.max_pictures)
    warnings = support_warnings(support, 'The pictures', MIN_SIZE)
    support = support._replace(remarks=support.remarks + warnings)
    needed = any(file.needs_rights for file in pictures)
    info = {
      'source_sha256': files.digest(pictures),
      **rights.record(_TICKED if needed else ''),
    }
    return api.person_from_support(self._settings.model, support, info)

  def _maker(self, label) -> Callable:
    signer = self._settings.signer
    return functools.partial(default_marks, signer=signer, label=label)

  def render(
    self,
    person: Person,
    driver: File,
    options: Options,
    path: Path,
    job: Job,
    show: Callable[[int, bytes], None],
  ) -> None:
    """Writes the signed video of a person who moves as the driver does.

    Args:
      person: Person.
      driver: a file with landmarks.
      options: Options.
      path: of the video.
      job: told of each frame.
      show: called with the number and JPEG of some of the marked frames.
    """

    def show_progress(frames, name, total):
      del name
      for number, frame in enumerate(job.count(frames, 'Frames', total)):
        if number % _PREVIEW_EVERY == 0:
          show(number, faces.jpeg(frame, _PREVIEW))
        yield frame

    api.render_video(
      person,
      files.driver_for(driver, person.image_size),
      path,
      options.for_rendering(),
      make_marks=self._maker(options.label),
      show_progress=show_progress,
    )

  def live(self, pictures: Sequence[File], image: np.ndarray) -> View:
    """The person as a frame of the camera moves them.

    Args:
      pictures: as of `person`.
      image: uint8 RGB [H, W, 3].
    """
    person = self.person(pictures)
    with self._lock:
      key = person, image.shape
      if self._live[0] is None or not all(map(_same, self._live[0], key)):
        follow = Follower(make_detector(), None, 'the camera')
        marks = animation_job.marks_of(person, (), self._maker(label=True))
        self._live = key, LivePerson(person, follow, marks, _LIVE)
      return self._live[1](image)


def _same(one, other):
  return one is other or (isinstance(one, tuple) and one == other)
