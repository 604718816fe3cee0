"""Reads the graph and the weights of an ONNX file without executing it.

Field numbers are those of onnx.proto3 (onnx 1.17). Weights that are stored
quantised are dequantised here, as the graph's own DequantizeLinear nodes say.
"""

import math

import numpy as np

from flaxheads.weights import protobuf
from flaxheads.weights.contents import Contents, Node

# Fields of the messages.
_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_TENSOR, _GRAPH_INPUT = 1, 5, 11
_NODE_INPUT, _NODE_OUTPUT, _NODE_OP, _NODE_ATTRIBUTE = 1, 2, 4, 5
_ATTRIBUTE_NAME, _ATTRIBUTE_FLOAT, _ATTRIBUTE_INT = 1, 2, 3
_ATTRIBUTE_FLOATS, _ATTRIBUTE_INTS = 7, 8
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_NAME, _TENSOR_RAW = 1, 2, 8, 9
_TENSOR_FLOATS, _TENSOR_INT32, _TENSOR_INT64, _TENSOR_DOUBLES = 4, 5, 7, 10
_TENSOR_LOCATION = 14
# TensorProto.DataType, as stored in raw_data.
_TYPES = {1: '<f4', 2: 'u1', 3: 'i1', 6: '<i4', 7: '<i8', 10: '<f2', 11: '<f8'}
_MAX_AXES = 8
_MAX_NODES = 100_000


def _text(value) -> str:
  return bytes(value).decode('utf-8')


def _integers(value) -> list[int]:
  """A repeated int64 field, packed or not."""
  if isinstance(value, int):
    return [protobuf.to_signed(value)]
  return protobuf.read_packed(value).tolist()


def _attribute(data) -> tuple[str, object]:
  """Name and value; None for the kinds that no network here uses."""
  name, value, many = '', None, []
  for number, field in protobuf.read_fields(data):
    if number == _ATTRIBUTE_NAME:
      name = _text(field)
    elif number == _ATTRIBUTE_FLOAT:
      value = protobuf.to_float(field)
    elif number == _ATTRIBUTE_INT:
      value = protobuf.to_signed(field)
    elif number == _ATTRIBUTE_FLOATS:
      many += np.frombuffer(field, '<f4').tolist()
    elif number == _ATTRIBUTE_INTS:
      many += _integers(field)
  return name, many or value


def _node(data) -> Node:
  inputs, outputs, op, attributes = [], [], '', {}
  for number, field in protobuf.read_fields(data):
    if number == _NODE_INPUT:
      inputs.append(_text(field))
    elif number == _NODE_OUTPUT:
      outputs.append(_text(field))
    elif number == _NODE_OP:
      op = _text(field)
    elif number == _NODE_ATTRIBUTE:
      name, value = _attribute(field)
      if value is not None:
        attributes[name] = value
  return Node(op, tuple(inputs), outputs[0] if outputs else '', attributes)


def _tensor(data) -> tuple[str, np.ndarray | None]:
  """Name and values; None for a type of number that no network here uses."""
  name, kind, shape, parts = '', 0, [], []
  for number, field in protobuf.read_fields(data):
    if number == _TENSOR_NAME:
      name = _text(field)
    elif number == _TENSOR_TYPE:
      kind = field
    elif number == _TENSOR_DIMS:
      shape += _integers(field)
    elif number == _TENSOR_RAW:
      parts.append(np.frombuffer(field, _TYPES.get(kind, 'u1')))
    elif number == _TENSOR_FLOATS:
      parts.append(np.frombuffer(field, '<f4'))
    elif number == _TENSOR_DOUBLES:
      parts.append(np.frombuffer(field, '<f8'))
    elif number in (_TENSOR_INT32, _TENSOR_INT64):
      parts.append(np.asarray(_integers(field)))
    elif number == _TENSOR_LOCATION and field:
      # Or a file could name any other file of this machine.
      raise ValueError(f'tensor {name[:50]} lies in another file')
  if kind not in _TYPES:
    return name, None
  if len(shape) > _MAX_AXES or min(shape, default=0) < 0:
    raise ValueError(f'tensor {name[:50]} has the shape {shape[:_MAX_AXES]}')
  values = np.concatenate(parts) if parts else np.zeros(0)
  if values.size != math.prod(shape):
    raise ValueError(
      f'tensor {name[:50]} of shape {shape} holds {values.size} numbers'
    )
  return name, values.astype(_TYPES[kind]).reshape(shape)


def _dequantise(node: Node, tensors):
  """DequantizeLinear of ONNX 21: (q - zero point) scale, by blocks."""
  q, scale, zero = (tensors[name] for name in node.inputs)
  axis = node.attributes.get('axis', 1)
  block = node.attributes.get('block_size', 0)
  if not 0 <= axis < q.ndim:
    raise ValueError(f'axis {axis} of a tensor with {q.ndim}')
  length = q.shape[axis]
  count = -(-length // block) if block > 0 else 0
  blocks = (*q.shape[:axis], count, *q.shape[axis + 1 :])
  if not 0 < block <= length or not scale.shape == zero.shape == blocks:
    raise ValueError(
      f'blocks of {block} along axis {axis} of {q.shape} do not fit scales'
      f' {scale.shape} and zero points {zero.shape}'
    )

  def spread(x):
    x = np.repeat(x.astype(np.float32), block, axis)
    return x.take(np.arange(length), axis)

  return (q.astype(np.float32) - spread(zero)) * spread(scale)


def _fold_constants(nodes, tensors):
  """Carries out the nodes that only say how weights are stored."""
  left = []
  for node in nodes:
    if not node.inputs or not set(node.inputs) <= set(tensors):
      left.append(node)
    elif node.op == 'DequantizeLinear' and len(node.inputs) == 3:
      tensors[node.output] = _dequantise(node, tensors)
    elif node.op == 'Reshape' and len(node.inputs) == 2:
      values, shape = (tensors[name] for name in node.inputs)
      tensors[node.output] = values.reshape(shape.astype(int).tolist())
    else:
      left.append(node)
  return left


def read(path: str) -> Contents:
  """Reads an ONNX file.

  Args:
    path: of the file.

  Returns:
    Contents: floating-point tensors, dequantised where they were stored as
    integers, and the graph without the nodes that did that.

  Raises:
    ValueError: damaged, or weights in another file.
  """
  with open(path, 'rb') as file:
    data = memoryview(file.read())
  graphs = [v for n, v in protobuf.read_fields(data) if n == _MODEL_GRAPH]
  if len(graphs) != 1:
    raise ValueError(f'holds {len(graphs)} graphs, not 1')
  nodes, tensors, inputs = [], {}, []
  for number, field in protobuf.read_fields(graphs[0]):
    if number == _GRAPH_NODE:
      nodes.append(_node(field))
    elif number == _GRAPH_TENSOR:
      name, values = _tensor(field)
      if values is not None:
        tensors[name] = values
    elif number == _GRAPH_INPUT:
      names = [v for n, v in protobuf.read_fields(field) if n == 1]
      inputs += map(_text, names[:1])
    if len(nodes) > _MAX_NODES:
      raise ValueError(f'holds more than {_MAX_NODES} nodes')
  nodes = _fold_constants(nodes, tensors)
  floats = {k: v for k, v in tensors.items() if v.dtype.kind == 'f'}
  inputs = tuple(name for name in inputs if name not in tensors)
  return Contents(floats, tuple(nodes), inputs)
