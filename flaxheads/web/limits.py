"""Limits on what one visitor of the page may use."""

import dataclasses

from flaxheads.errors import check_range


@dataclasses.dataclass
class Limits:
  """Limits of the page.

  Attributes:
    max_megabytes: size of an uploaded file.
    max_pictures: files of one person, and frames used of them.
    max_driver_frames: frames read of a driver; 500 are 20 seconds.
    max_waiting: jobs in the queue of all visitors; further ones are refused.
    max_minutes: duration of one job.
    max_visitors: visitors at a time; further ones are refused.
  """

  max_megabytes: int = 100
  max_pictures: int = 16
  max_driver_frames: int = 500
  max_waiting: int = 16
  max_minutes: float = 15.0
  max_visitors: int = 16

  def __post_init__(self):
    for field in dataclasses.fields(self):
      low = 0.01 if field.type is float else 1
      check_range(f'--limits.{field.name}', getattr(self, field.name), low)
