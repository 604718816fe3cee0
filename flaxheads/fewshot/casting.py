"""Fits a driver to the person it shall move."""

from collections.abc import Iterable

import numpy as np

from flaxheads.data.driver import Driver
from flaxheads.errors import UserError
from flaxheads.fewshot.paste import Paste
from flaxheads.fewshot.person import Person, animate
from flaxheads.landmarks.retarget import keep_inside, place_on, retarget

RETARGET = ('auto', 'always', 'never')


def wants_retargeting(choice: str, person: Person, driver_sha256: str) -> bool:
  """Whether a driver's motion is to be put on the person's own face shape.

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
  """The driver with the points that the person is to be drawn from.

  Args:
    person: Person.
    driver: its points are in pixels of the person's image size.
    retargeted: whether its motion is put on the person's own face shape.
    pasted: whether the head has to lie where the person's portrait has it.
  """
  points, size = driver.points, person.config.image_size
  if retargeted:
    points = retarget(person.support_points, points, size)
  if pasted:
    points = keep_inside(place_on(points, person.points), size)
  return driver._replace(points=points)


def describe_origin(person: Person, drivers: Iterable[str]) -> dict:
  """What a manifest says: about the model, the person, and what moved it.

  Args:
    person: Person.
    drivers: SHA-256 of each driver's file.
  """
  facts = {
    key: person.info[key]
    for key in ('model', 'model_sha256', 'method', 'num_shots', 'rights_date')
    if key in person.info
  }
  facts['rights'] = person.info.get('rights', 'not recorded')
  portrait = person.info.get('source_sha256', 'not recorded')
  facts['ingredients'] = [
    {'role': 'portrait', 'sha256': portrait},
    *({'role': 'driver', 'sha256': digest} for digest in drivers),
  ]
  return facts


def check_portrait(person: Person) -> None:
  """Raises UserError where a person cannot be pasted back."""
  if person.portrait is None:
    raise UserError(
      '--paste_back: this person was made without a portrait; make the person '
      'anew with launch.finetune'
    )


def make_paste(person: Person, points: np.ndarray) -> Paste:
  """What pastes a person's drawings into the portrait.

  Args:
    person: with a portrait.
    points: float32 [F, 68, 2] in pixels, that the drawings are made from.

  Raises:
    UserError: the person has none.
  """
  check_portrait(person)
  (still,) = animate(person, np.asarray(person.points)[None])
  points = np.concatenate([person.points[None], points])
  return Paste(person.portrait, still, points)
