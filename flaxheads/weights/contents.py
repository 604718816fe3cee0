"""The contents of other frameworks' weight files, as plain arrays."""

from typing import NamedTuple

import numpy as np


class Node(NamedTuple):
  """A node of an ONNX graph.

  Attributes:
    op: its type, 'Conv' say.
    inputs: names of tensors.
    output: name of its first output.
    attributes: numbers and lists of numbers by name.
  """

  op: str
  inputs: tuple[str, ...]
  output: str
  attributes: dict


class Contents(NamedTuple):
  """What a weight file holds.

  Attributes:
    tensors: float32 arrays by the file's own names.
    nodes: of the graph, for ONNX; else empty.
    inputs: names of the graph's inputs, for ONNX; else empty.
  """

  tensors: dict[str, np.ndarray]
  nodes: tuple[Node, ...] = ()
  inputs: tuple[str, ...] = ()
