"""What all visitors of the page share, and what one may choose."""

from pathlib import Path
from typing import NamedTuple

from flaxheads.config import FinetuneConfig
from flaxheads.fewshot.model import Model
from flaxheads.provenance.identity import Identity
from flaxheads.web.limits import Limits


class Studio(NamedTuple):
  """What all visitors share.

  Attributes:
    model: that people are made of.
    finetuning: rates and lengths.
    limits: of a visitor.
    folder: for all files; whoever made it removes it.
    signer: of all that is made; None: this installation.
  """

  model: Model
  finetuning: FinetuneConfig
  limits: Limits
  folder: Path
  signer: Identity | None = None


class Options(NamedTuple):
  """How a person is animated.

  Attributes:
    retarget: of casting.RETARGET.
    paste_back: whether the video is the whole portrait.
    label: whether a visible label is burned in.
    sound: whether the driver's sound is kept.
  """

  retarget: str = 'auto'
  paste_back: bool = False
  label: bool = False
  sound: bool = True
