"""The right to animate a person: when it is needed, and its record."""

import datetime
import os

from flaxheads.errors import UserError
from flaxheads.provenance import examine, identity


def are_needed(source: str | os.PathLike) -> bool:
  """Whether an image or video, or one of a folder, may show a real person.

  No rights are needed for heads that this installation rendered and signed.
  """
  return not examine.shows_synthetic_heads(source, identity.trusted_roots())


def confirm(source: str | os.PathLike, how: str) -> dict:
  """Checks that somebody may be animated.

  Args:
    source: an image or video, or a folder of them.
    how: the right was confirmed; '' where it was not.

  Returns:
    The record for the person's folder and the manifest.

  Raises:
    UserError: the right is needed, and was not confirmed.
  """
  if not are_needed(source):
    return record('')
  if not how:
    raise UserError(
      f'{source}: may show a real person; if you may animate who is shown '
      '(yourself, or somebody who has agreed), say so with confirm_rights'
    )
  return record(how)


def record(how: str) -> dict:
  """The record for the person's folder and the manifest.

  Args:
    how: the right was confirmed; '' where none was needed.
  """
  today = datetime.datetime.now(datetime.UTC).date().isoformat()
  return {
    'rights': how or 'not needed: synthetic heads',
    'rights_date': today,
  }
