"""The marks on a file that shows a generated head."""

import dataclasses
import secrets
from pathlib import Path

from flaxheads.provenance import credentials
from flaxheads.provenance.codes import MODEL_BITS, RANDOM_BITS, Payload
from flaxheads.provenance.identity import Identity, installation


def new_payload(model_sha256: str) -> Payload:
  """A payload with the model's identity and fresh random bits.

  Args:
    model_sha256: hexadecimal; '' where it is not known, which becomes 0.
  """
  model_id = int(model_sha256[: MODEL_BITS // 4] or '0', 16)
  return Payload(model_id, secrets.randbits(RANDOM_BITS))


@dataclasses.dataclass(frozen=True)
class Marks:
  """The marks of the files of one run.

  Attributes:
    identity: who signs; None: no credentials.
    payload: of the watermark; None: none.
    facts: JSON values for the manifest.
    label: whether to burn in a small label.
    source_type: see credentials.py.
    turned_off_by: the flag that left out watermark and signature, if any.
  """

  identity: Identity | None = None
  payload: Payload | None = None
  facts: dict = dataclasses.field(default_factory=dict)
  label: bool = False
  source_type: str = credentials.TRAINED
  turned_off_by: str = ''

  def composite(self) -> 'Marks':
    """The same for a file that shows generated heads beside or in images."""
    return dataclasses.replace(self, source_type=credentials.COMPOSITE)

  def seal(self, path: Path, title: str) -> None:
    """Signs a written file; for `VideoWriter` and `write_png`.

    Args:
      path: its temporary name.
      title: the name that it will have.
    """
    if self.identity is None:
      return
    facts = {**self.facts, 'visible_label': self.label}
    if self.payload:
      facts['payload'] = str(self.payload)
    origin = credentials.Origin(self.source_type, facts)
    credentials.sign(path, origin, self.identity, title)

  def describe(self) -> dict:
    """For the report: what the files carry."""
    off = {'turned_off_by': self.turned_off_by} if self.turned_off_by else {}
    return {
      **off,
      'credentials': self.identity is not None,
      'watermark': str(self.payload) if self.payload else None,
      'visible_label': self.label,
    }


UNMARKED = Marks()


def default_marks(
  model_sha256: str = '',
  facts: dict | None = None,
  signer: Identity | None = None,
  label: bool = False,
) -> Marks:
  """A watermark and a signature.

  Args:
    model_sha256: of the model that generates the frames.
    facts: JSON values for the manifest.
    signer: who signs; None: this installation.
    label: whether to burn in a visible label.
  """
  payload = new_payload(model_sha256)
  return Marks(signer or installation(), payload, facts or {}, label)
