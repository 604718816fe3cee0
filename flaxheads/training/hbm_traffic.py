"""The memory traffic of a compiled TPU program.

XLA's count of bytes includes what stays in VMEM, the chip's own memory, and
what is copied to it and joined there. Counted here are the operands and results
in HBM, with the padding of their layout's tiles: 64 channels take the space of
128. It is an estimate: an operand that a fusion reads twice counts once, and so
does the body of a loop.
"""

import math
import re

_BITS = {
  'pred': 8,
  **{f'{kind}{bits}': bits for kind in 'su' for bits in (4, 8, 16, 32, 64)},
  **{'f16': 16, 'bf16': 16, 'f32': 32, 'f64': 64},
}
_ARRAY = re.compile(r'(\w+)\[([\d,]*)\](?:\{([^}]*)\})?')
_LAYOUT = re.compile(r'([\d,]*)(?::T\(([\d,]+)\))?')
_COMPUTATION = re.compile(r'(ENTRY )?%?([\w.\-]+) \(.*\) -> .* \{')
_OPERATION = re.compile(
  r'\s+(?:ROOT )?%?([\w.\-]+) = (\(.*?\)|\S+) ([\w\-]+)\('
)
_CALLED = re.compile(
  r'(?:body|to_apply|branch_computations|(?:true|false)_computation)='
  r'\{?((?:%[\w.\-]+(?:, )?)+)'
)
_FREE = frozenset(
  'parameter tuple get-tuple-element bitcast constant after-all '
  'partition-id replica-id'.split()
)
_CALLS = frozenset('while conditional call'.split())
_PREFETCHES = frozenset('copy-start slice-start'.split())


def _in_hbm(arrays: list) -> int:
  """Bytes of the arrays of a type, those of VMEM left out."""
  total = 0
  for name, dimensions, layout in arrays:
    if name not in _BITS or 'S(1)' in layout:
      continue
    sides = [int(side) for side in dimensions.split(',') if side]
    order, tile = _LAYOUT.match(layout).groups()
    if tile:
      minor_first = [int(axis) for axis in order.split(',') if axis]
      for axis, length in zip(
        minor_first, map(int, reversed(tile.split(','))), strict=False
      ):
        sides[axis] = -(-sides[axis] // length) * length
    total += math.prod(sides) * _BITS[name] // 8
  return total


def _split(text: str) -> tuple[dict, str]:
  """Lines of every computation, and the name of the first one that runs."""
  computations, lines, entry = {}, None, None
  for line in text.splitlines():
    if found := _COMPUTATION.match(line):
      lines = computations.setdefault(found.group(2), [])
      entry = found.group(2) if found.group(1) else entry
    elif lines is not None and ' = ' in line:
      lines.append(line)
  return computations, entry


def hbm_bytes(text: str) -> int:
  """Counts a program.

  Args:
    text: of the compiled HLO, `compiled.as_text()`.

  Returns:
    Bytes of one run on one chip.
  """
  computations, entry = _split(text)
  types = {}

  def count(computation) -> int:
    total = 0
    for line in computations[computation]:
      found = _OPERATION.match(line)
      if not found:
        continue
      name, result, operation = found.groups()
      types[name] = arrays = _ARRAY.findall(result)
      if operation in _CALLS:
        for called in _CALLED.findall(line):
          total += sum(map(count, re.findall(r'[\w.\-]+', called)))
      elif operation in _PREFETCHES:
        # (copy, source, ...) or ((source), slice, ...): what moves is as large
        # as the first of a copy and the second of a slice.
        moved, source = arrays[:2]
        if operation == 'slice-start':
          moved, source = source, moved
        read_from = (*moved[:2], source[2])  # of that size, in that place
        total += _in_hbm([moved, read_from])
      elif operation not in _FREE and not operation.endswith('-done'):
        operands = line[found.end() :].split(')', 1)[0]
        read = re.findall(r'%([\w.\-]+)', operands)
        total += _in_hbm(arrays)
        total += sum(_in_hbm(types.get(operand, [])) for operand in read)
    return total

  return count(entry)
