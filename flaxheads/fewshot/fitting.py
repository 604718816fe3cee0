"""Fits a driver's landmarks to the person that they shall move."""

from flaxheads.data.driver import Driver
from flaxheads.fewshot.person import Person
from flaxheads.landmarks.retarget import keep_inside, place_on, retarget

RETARGET = ('auto', 'always', 'never')


def wants_retargeting(choice: str, person: Person, driver_sha256: str) -> bool:
  """Whether to put a driver's motion on the person's own face shape.

  Args:
    choice: 'always', 'never', or 'auto': unless the driver is the very file
      or folder that the person was made from.
    person: Person.
    driver_sha256: of the driver's file.
  """
  if choice == 'auto':
    return driver_sha256 != person.info.get('source_sha256')
  return choice == 'always'


def fit_driver(
  person: Person, driver: Driver, retargeted: bool, pasted: bool
) -> Driver:
  """The driver with the points to generate the person's frames from.

  Args:
    person: Person.
    driver: its points are in pixels of the person's image size.
    retargeted: whether to put its motion on the person's own face shape.
    pasted: whether the head has to lie where the person's portrait has it.
  """
  points, size = driver.points, person.image_size
  if retargeted:
    points = retarget(person.support_points, points, size)
  if pasted:
    points = keep_inside(place_on(points, person.points), size)
  return driver._replace(points=points)
