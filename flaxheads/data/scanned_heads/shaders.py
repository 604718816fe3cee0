"""The GLSL programs of scanned heads, in glsl/."""

import functools
from pathlib import Path

# Order of the materials in glsl/surface_fragment.glsl.
MATERIALS = (
  'skin',
  'eye',
  'teeth',
  'tongue',
  'brow',
  'lash',
  'cloth',
  'rim',
  'lens',
  'hair',
  'beard',
  'cropped',
)


@functools.cache
def source(name: str) -> str:
  """The text of glsl/NAME.glsl."""
  return Path(__file__).with_name('glsl').joinpath(f'{name}.glsl').read_text()


def fragment(material: str) -> str:
  """The fragment shader of one material.

  One program for each: llvmpipe would otherwise compute every branch.
  """
  number = str(MATERIALS.index(material))
  return source('surface_fragment').replace('MATERIAL', number)
