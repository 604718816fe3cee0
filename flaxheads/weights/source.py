"""Published weights of a network: files, licence, convention, layout."""

from collections.abc import Callable
from typing import NamedTuple

from flaxheads.weights.convention import Convention


class Part(NamedTuple):
  """One file of a source.

  Attributes:
    url: at its publisher.
    sha256: hexadecimal, of the weight file: all 64 digits, the first ones
      where the publisher gives no more, or '' if there is none.
    member: name of the file in the archive (zip or tar.gz) that the URL
      gives; '' where the URL gives the file itself.
    archive_sha256: hexadecimal, of the archive, which is not opened unless it
      has this hash; '' where its publisher gives none.
  """

  url: str
  sha256: str
  member: str = ''
  archive_sha256: str = ''


class Source(NamedTuple):
  """Published weights of a network.

  Attributes:
    network: its name in models.pretrained.
    parts: the files, in the order that `layout` takes them.
    licence: of the weights.
    convention: what the network wants to see with these weights.
    layout: from the files' contents to a parameter tree.
  """

  network: str
  parts: tuple[Part, ...]
  licence: str
  convention: Convention
  layout: Callable
