"""Flags for the marks of a file: who signs, or that nothing is marked."""

import functools
from collections.abc import Callable

from absl import flags

from flaxheads.errors import UserError
from flaxheads.provenance import identity
from flaxheads.provenance.marks import UNMARKED, Marks, default_marks

_CERT = flags.DEFINE_string(
  'signing_cert',
  None,
  "Certificate chain to sign with (PEM). Default: this installation's.",
)
_KEY = flags.DEFINE_string(
  'signing_key', None, 'Private key of --signing_cert (PEM).'
)
OFF_FLAG = 'without_marks_i_will_label_it_myself'
_OFF = flags.DEFINE_bool(
  OFF_FLAG,
  False,
  'Write no watermark and no signature. Nothing in the files then says that '
  'they are synthetic; label them yourself.',
)


def check_flags() -> None:
  """Raises UserError for flags that do not go together, or a bad key."""
  if bool(_CERT.value) != bool(_KEY.value):
    raise UserError('--signing_cert and --signing_key go together: give both')
  if _OFF.value and _CERT.value:
    raise UserError(f'--{OFF_FLAG} leaves nothing to sign; omit --signing_cert')
  if not _OFF.value:
    _identity()


def signer() -> identity.Identity:
  """Who signs files that are always marked.

  Raises:
    UserError: flags that do not go together, a bad key, or marks turned off.
  """
  if _OFF.value:
    raise UserError(
      f'--{OFF_FLAG}: files of this command are always marked; omit the flag'
    )
  check_flags()
  return _identity()


def _identity() -> identity.Identity:
  if _CERT.value:
    return identity.load_identity(_CERT.value, _KEY.value)
  return identity.installation()


def maker(label: bool = False) -> Callable[[str, dict], Marks]:
  """Makes marks as the flags say; for `flaxheads.render_video`.

  Args:
    label: whether to burn in a visible label.
  """
  if _OFF.value:
    unmarked = Marks(label=label, turned_off_by=f'--{OFF_FLAG}')
    return lambda model_sha256, facts: unmarked
  return functools.partial(default_marks, signer=_identity(), label=label)


def sign_only(facts: dict, source_type: str) -> Marks:
  """A signature without a watermark: for what no model made, and for metrics.

  Args:
    facts: for the manifest.
    source_type: of flaxheads/provenance/credentials.py.
  """
  if _OFF.value:
    return UNMARKED
  return Marks(_identity(), None, facts, source_type=source_type)
