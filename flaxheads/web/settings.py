"""What all visitors of the page share, and what one of them chooses."""

import dataclasses
from pathlib import Path
from typing import NamedTuple

from flaxheads.errors import UserError
from flaxheads.fewshot.animation_job import RenderOptions
from flaxheads.fewshot.bilayer_model import BilayerModel
from flaxheads.provenance.identity import Identity
from flaxheads.web.limits import Limits


class Settings(NamedTuple):
  """What all visitors share.

  Attributes:
    model: corrects the photographs' pixels; None: they are only moved.
    limits: of a visitor.
    folder: for all files; its creator removes it.
    signer: of all files; None: this installation.
  """

  model: BilayerModel | None
  limits: Limits
  folder: Path
  signer: Identity | None = None


@dataclasses.dataclass(frozen=True)
class Options:
  """What a visitor chooses.

  Attributes:
    motion: see RenderOptions.
    paste_back: see RenderOptions.
    sound: see RenderOptions.
    label: whether a visible label is burned in.
  """

  motion: str = 'auto'
  paste_back: bool = True
  sound: bool = True
  label: bool = False

  def change(self, **chosen) -> 'Options':
    """A copy with other values.

    Raises:
      UserError: an option or value that does not exist.
    """
    known = {field.name: field.type for field in dataclasses.fields(self)}
    for name, value in chosen.items():
      if not isinstance(value, known.get(name, ())):
        raise UserError(f'{name}={value!r}: not an option of the page')
    changed = dataclasses.replace(self, **chosen)
    changed.for_rendering()
    return changed

  def for_rendering(self) -> RenderOptions:
    """The part that rendering needs."""
    return RenderOptions(self.motion, self.paste_back, self.sound)
