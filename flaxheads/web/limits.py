"""What one visitor of the page may cost."""

import dataclasses

from flaxheads.errors import check_range


@dataclasses.dataclass
class Limits:
  """Limits of the page.

  Attributes:
    max_megabytes: of a file that is uploaded.
    max_pictures: files of one person.
    max_driver_frames: that are read of a driver, and of a video of the person;
      500 are 20 seconds.
    max_people: of one visitor, kept to be compared.
    max_waiting: requests in the queue; further ones are sent away.
    max_minutes: of one piece of work.
    max_visitors: whose pictures are kept at a time; the oldest leaves.
  """

  max_megabytes: int = 100
  max_pictures: int = 32
  max_driver_frames: int = 500
  max_people: int = 8
  max_waiting: int = 8
  max_minutes: float = 15.0
  max_visitors: int = 16

  def __post_init__(self):
    for field in dataclasses.fields(self):
      low = 0.01 if field.type is float else 1
      check_range(f'--limits.{field.name}', getattr(self, field.name), low)
