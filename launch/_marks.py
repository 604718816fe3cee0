"""Flags for what a file says of its origin."""

from absl import flags

from flaxheads.errors import UserError
from flaxheads.provenance import identity
from flaxheads.provenance.marks import UNMARKED, Marks, new_payload

_CERT = flags.DEFINE_string(
  'signing_cert', None, "Certificate chain, PEM; the installation's own."
)
_KEY = flags.DEFINE_string('signing_key', None, 'Its private key, PEM.')
OFF_FLAG = 'without_marks_i_will_label_it_myself'
_OFF = flags.DEFINE_bool(
  OFF_FLAG,
  False,
  'No watermark and no signature: nothing in the files says that they are '
  'synthetic, and you have to.',
)


def check_flags() -> None:
  """Raises UserError for flags that do not go together, or a bad key."""
  if bool(_CERT.value) != bool(_KEY.value):
    raise UserError('--signing_cert and --signing_key go together: give both')
  if _OFF.value and _CERT.value:
    raise UserError(f'--{OFF_FLAG} leaves nothing to sign: no --signing_cert')
  if not _OFF.value:
    _identity()


def signer() -> identity.Identity:
  """Who signs, for what is never left unmarked.

  Raises:
    UserError: flags that do not go together, a bad key, or marks turned off.
  """
  if _OFF.value:
    raise UserError(f'--{OFF_FLAG}: not here; what this makes is always marked')
  check_flags()
  return _identity()


def _identity() -> identity.Identity:
  if _CERT.value:
    return identity.load_identity(_CERT.value, _KEY.value)
  return identity.installation()


def make_marks(facts: dict, model_sha256: str = '', label=False) -> Marks:
  """The marks of a run, as the flags ask for them.

  Args:
    facts: for the manifest.
    model_sha256: of the model that draws, for the watermark.
    label: whether to burn in a visible label.
  """
  if _OFF.value:
    return Marks(label=label)
  return Marks(_identity(), new_payload(model_sha256), facts, label)


def sign_drawn(facts: dict, source_type: str) -> Marks:
  """A signature alone: for what no model drew, and for measured pictures.

  Args:
    facts: for the manifest.
    source_type: of flaxheads/provenance/credentials.py.
  """
  if _OFF.value:
    return UNMARKED
  return Marks(_identity(), None, facts, source_type=source_type)


def describe(marks: Marks) -> dict:
  """For the report: what the files carry, and why if nothing."""
  said = marks.describe()
  return {**said, 'turned_off_by': f'--{OFF_FLAG}'} if _OFF.value else said
