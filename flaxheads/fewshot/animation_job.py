"""What is rendered: a person, drivers fitted to it, marks, and the report."""

import dataclasses
import os
from collections.abc import Callable, Sequence

from flaxheads.data.driver import Driver
from flaxheads.errors import check_choice, check_range
from flaxheads.fewshot.animation_folder import unique_names
from flaxheads.fewshot.paste import check_portrait
from flaxheads.fewshot.person import Person
from flaxheads.fewshot.person_folder import load_person
from flaxheads.landmarks.gaze import transfer
from flaxheads.landmarks.relative_motion import RelativeMotion
from flaxheads.landmarks.retarget import keep_inside, place_on, retarget
from flaxheads.provenance.examine import sha256_of
from flaxheads.provenance.marks import Marks, default_marks
from flaxheads.speech.driver import load_driver

# relative: the driver's change since its own rest, on the person as the first
#   image has it.
# absolute: the driver's pose and expression, on the person's own face shape; of
#   the person's own file the landmarks as they are.
# auto: relative, but absolute for the person's own file, and for drivers that
#   are too short to show their rest.
MOTIONS = ('auto', 'relative', 'absolute')
_SHORT = 10  # frames
# Makes the marks of a file from the model's SHA-256 and the manifest's facts.
MakeMarks = Callable[[str, dict], Marks]
_DEFAULT_SIZE = 256  # pixels, of videos; smaller frames are enlarged
_ORIGIN = ('model', 'model_sha256', 'method', 'num_shots', 'rights_date')


@dataclasses.dataclass(frozen=True)
class RenderOptions:
  """How a person is animated.

  Attributes:
    motion: 'relative', 'absolute' or 'auto': see MOTIONS.
    paste_back: whether the video is the whole portrait with the head in it;
      None: of people made of photographs, unless `size` is given.
    sound: whether the driver's sound is kept.
    size: side of the video in pixels; None: the person's image size, at least
      256. A pasted video has the portrait's size, up to paste.MAX_SIDE.
    gaze: whether the eyes of photographs follow the driver's.
  """

  motion: str = 'auto'
  paste_back: bool | None = None
  sound: bool = True
  size: int | None = None
  gaze: bool = True

  def __post_init__(self):
    check_choice('--motion', self.motion, MOTIONS)
    if self.size is not None:
      check_range('--size', self.size, 64, 2048)

  def pastes_back(self, person: Person) -> bool:
    """Whether videos of this person are the whole portrait."""
    if self.paste_back is not None:
      return self.paste_back
    known = person.in_portrait and person.portrait is not None
    return known and self.size is None


def _digest(driver: Driver) -> str:
  return sha256_of(driver.path) if driver.path else 'not recorded'


def _ingredients(driver: Driver):
  """What a driver was made of, for the manifest."""
  if driver.path or not driver.speech:
    yield {'role': 'driver', 'sha256': _digest(driver)}
  if driver.speech:
    yield {'role': 'speech', 'sha256': sha256_of(driver.speech)}


def is_own(person: Person, driver_sha256: str) -> bool:
  """Whether a driver is the very file that the person was made from."""
  return driver_sha256 == person.info.get('source_sha256')


def choose_motion(choice: str, driver: Driver, own: bool) -> str:
  """Relative or absolute.

  Args:
    choice: of MOTIONS.
    driver: Driver.
    own: of `is_own`.
  """
  if choice != 'auto':
    return choice
  short = len(driver.points) < _SHORT and not driver.speech
  return 'absolute' if own or short else 'relative'


def fit_points(
  person: Person, driver: Driver, motion: str, own: bool, pasted: bool
) -> Driver:
  """The driver with the points to generate the person's frames from.

  Args:
    person: Person.
    driver: its points are in pixels of the person's image size.
    motion: of `choose_motion`.
    own: of `is_own`.
    pasted: whether the head has to lie where the person's portrait has it.
  """
  points, size = driver.points, person.image_size
  if driver.gaze is not None and person.gaze is None:
    driver = driver._replace(gaze=None)
  if motion == 'relative':
    move = RelativeMotion(person.support_points, person.points, points)
    if driver.gaze is not None:
      gaze = transfer(person.gaze[0], driver.gaze, move.rest_frames)
      driver = driver._replace(gaze=gaze)
    return driver._replace(points=keep_inside(move(points), size))
  if not own:
    points = retarget(person.support_points, points, size)
  if pasted:
    points = keep_inside(place_on(points, person.points), size)
  return driver._replace(points=points)


def fit_driver(
  person: Person, driver: Driver, options: RenderOptions
) -> tuple[Driver, str]:
  """A driver with the points for this person, and how it moves them."""
  own = is_own(person, _digest(driver))
  motion = choose_motion(options.motion, driver, own)
  pasted = options.pastes_back(person)
  if not options.gaze:
    driver = driver._replace(gaze=None)
  return fit_points(person, driver, motion, own, pasted), motion


def marks_of(
  person: Person,
  drivers: Sequence[Driver] = (),
  make_marks: MakeMarks = default_marks,
) -> Marks:
  """The marks of a file that shows a person.

  Args:
    person: Person.
    drivers: what moved the person.
    make_marks: as of `render_video`.
  """
  info = person.info
  facts = {key: info[key] for key in _ORIGIN if key in info}
  portrait = info.get('source_sha256', 'not recorded')
  facts['rights'] = info.get('rights', 'not recorded')
  facts['ingredients'] = [
    {'role': 'portrait', 'sha256': portrait},
    *(part for driver in drivers for part in _ingredients(driver)),
  ]
  if any(driver.speech for driver in drivers):
    facts['mouth'] = 'generated from speech'
  return make_marks(info.get('model_sha256', ''), facts)


@dataclasses.dataclass(frozen=True)
class Job:
  """What is rendered: a person, fitted drivers, marks, and the report.

  `pasted`: whether the videos are the whole portrait.
  """

  person: Person
  drivers: list[Driver]
  pasted: bool
  size: int
  marks: Marks
  report: dict


def prepare(
  person: Person | str | os.PathLike,
  drivers: Sequence[Driver | str | os.PathLike],
  options: RenderOptions,
  make_marks: MakeMarks,
  frames: bool,
) -> Job:
  """Reads files given by name, fits the drivers, and makes the report.

  Args:
    person: Person, or its folder.
    drivers: Driver, or files.
    options: RenderOptions.
    make_marks: who signs, and what is marked.
    frames: whether drivers that are read here keep their frames.

  Raises:
    UserError: an input cannot be read, or the person has no portrait to paste.
  """
  if not isinstance(person, Person):
    person = load_person(os.fspath(person))
  pasted = options.pastes_back(person)
  if pasted:
    check_portrait(person)
  drivers = [
    driver
    if isinstance(driver, Driver)
    else load_driver(driver, person.image_size, frames=frames)
    for driver in drivers
  ]
  if not options.sound:
    drivers = [driver._replace(sound=None) for driver in drivers]
  drivers = unique_names(drivers)
  fitted = [fit_driver(person, driver, options) for driver in drivers]
  marks = marks_of(person, drivers, make_marks)
  # The curve of fine-tuning is long, and in the report of the person.
  info = {key: value for key, value in person.info.items() if key != 'curve'}
  report = {
    'person': person.folder or info.get('source'),
    **info,
    'model_size': person.image_size,
    'pasted_back': pasted,
    'drivers': [
      {
        'file': str(driver.path or driver.speech),
        **({'speech': str(driver.speech)} if driver.speech else {}),
        'name': driver.name,
        'frames': len(driver.points),
        'fps': driver.fps,
        'motion': motion,
      }
      for driver, motion in fitted
    ],
    'marks': marks.describe(),
    'remarks': [
      *info.get('remarks', ()),
      *(remark for driver in drivers for remark in driver.remarks),
    ],
  }
  size = options.size or max(_DEFAULT_SIZE, person.image_size)
  fitted = [driver for driver, _ in fitted]
  return Job(person, fitted, pasted, size, marks, report)
