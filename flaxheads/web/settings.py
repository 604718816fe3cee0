"""What all visitors of the page share, and what one of them chooses."""

from pathlib import Path
from typing import NamedTuple

from flaxheads.config import FinetuneConfig
from flaxheads.fewshot.model import Model
from flaxheads.provenance.identity import Identity
from flaxheads.web.limits import Limits


class Settings(NamedTuple):
  """What all visitors share.

  Attributes:
    model: that people are made with.
    finetuning: rates and lengths.
    limits: of a visitor.
    folder: for all files; its creator removes it.
    signer: of all files; None: this installation.
  """

  model: Model
  finetuning: FinetuneConfig
  limits: Limits
  folder: Path
  signer: Identity | None = None
