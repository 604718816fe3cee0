"""Fits a driver's landmarks to the person that they shall move."""

from flaxheads.data.driver import Driver
from flaxheads.fewshot.person import Person
from flaxheads.landmarks.gaze import transfer
from flaxheads.landmarks.relative_motion import RelativeMotion
from flaxheads.landmarks.retarget import keep_inside, place_on, retarget

# relative: the driver's change since its own rest, on the person as the first
#   picture has it.
# absolute: the driver's pose and expression, on the person's own face shape; of
#   the person's own file the landmarks as they are.
# auto: relative, but absolute for the person's own file, and for drivers that
#   are too short to show their rest.
MOTIONS = ('auto', 'relative', 'absolute')
_SHORT = 10  # frames


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


def fit_driver(
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
