"""Asks whether somebody may be animated."""

import os
import sys

from absl import flags

from flaxheads.errors import UserError
from flaxheads.provenance import rights

_CONFIRM = flags.DEFINE_bool(
  'confirm_rights',
  False,
  'You may animate who is shown: yourself, or somebody who has agreed.',
)
_QUESTION = (
  'May you animate who is shown in {}? That is you, or somebody who has agreed,'
  ' or nobody alive. [yes/no] '
)


def _answer(source: str) -> bool:
  print(_QUESTION.format(source), end='', file=sys.stderr, flush=True)
  return sys.stdin.readline().strip().lower() in ('y', 'yes')


def ask(source: str) -> str:
  """Makes sure that the user has the right to use pictures.

  Args:
    source: an image or video, or a folder of them.

  Returns:
    How the right was confirmed, for `flaxheads.make_person`; '' where none is
    needed.

  Raises:
    UserError: it was not confirmed, or there is no terminal to ask at.
  """
  if not rights.are_needed(os.path.expanduser(source)):
    return ''
  if _CONFIRM.value:
    return 'by --confirm_rights'
  if not sys.stdin.isatty():
    raise UserError(
      f'{source}: there is no terminal to ask whether you may animate who is '
      'shown; if you may, say so with --confirm_rights'
    )
  if _answer(source):
    return 'at the terminal'
  raise UserError(
    f'{source}: you have not confirmed that you may animate who is shown; give '
    'photographs of yourself, of somebody who has agreed, or of '
    'launch.render_heads'
  )
