"""Bytes of HBM, counted in programs small enough to count by hand."""

import pytest

from flaxheads.training.hbm_traffic import hbm_bytes

_TILED = 'bf16[4,8,8,64]{3,0,2,1:T(4,128)(2,1)}'  # 64 channels fill 128
_PLACE = 4 * 8 * 8 * 128 * 2


def _program(*lines, others=''):
  body = '\n'.join(f'  {line}' for line in lines)
  return (
    f'HloModule m\n\n{others}ENTRY %main (x: f32[8]) -> f32[8] {{\n{body}\n}}\n'
  )


@pytest.mark.parametrize(
  'operation, wanted',
  [
    ('ROOT %y = f32[8]{0:T(128)} add(%x, %x)', 3 * 512),
    (f'ROOT %y = {_TILED} fusion(%x), kind=kLoop, calls=%f', 512 + _PLACE),
    ('ROOT %y = f32[8]{0:T(128)S(1)} negate(%x)', 512),
    ('ROOT %y = (f32[8]{0:T(128)}, s8[3]{0}) fusion(%x), calls=%f', 1024 + 3),
    ('ROOT %y = f32[2,4]{1,0} bitcast(%x)', 0),
    ('ROOT %y = f32[8]{0:T(128)} copy-done(%x)', 0),
    # Into VMEM: read alone. A slice is as large as it is, not as its source.
    (
      '%y = (f32[8]{0:T(128)S(1)}, f32[8]{0:T(128)}, u32[]{:S(2)}) '
      'copy-start(%x)',
      512,
    ),
    (
      '%y = ((f32[8]{0}), f32[2]{0:S(1)}, s32[]{:S(2)}) slice-start(%x)',
      8,
    ),
  ],
)
def test_an_operation(operation, wanted):
  program = _program('%x = f32[8]{0:T(128)} parameter(0)', operation)
  assert hbm_bytes(program) == wanted


def test_the_body_of_a_loop_counts_once():
  body = (
    '%body (p: f32[8]) -> f32[8] {\n'
    '  %p = f32[8]{0} parameter(0)\n'
    '  ROOT %q = f32[8]{0} negate(%p)\n}\n\n'
  )
  program = _program(
    '%x = f32[8]{0} parameter(0)',
    'ROOT %y = f32[8]{0} while(%x), condition=%c, body=%body',
    others=body,
  )
  assert hbm_bytes(program) == 64
