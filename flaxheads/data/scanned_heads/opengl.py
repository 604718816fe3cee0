"""The process's OpenGL context, programs and images."""

import functools
from typing import NamedTuple

import numpy as np

from flaxheads.data.scanned_heads import shaders
from flaxheads.errors import UserError


@functools.cache
def context():
  """The process's OpenGL context.

  Raises:
    UserError: no moderngl, or no EGL to make a context with.
  """
  try:
    import moderngl
  except ImportError:
    raise UserError(
      'scanned heads: need moderngl; pip install flaxheads[heads]'
    ) from None
  try:
    return moderngl.create_context(standalone=True, backend='egl')
  except Exception as error:  # glcontext raises bare Exceptions
    raise UserError(
      f'scanned heads: no OpenGL by EGL ({error}); install a driver, as with'
      ' apt-get install libegl1 libgl1-mesa-dri'
    ) from None


def write(program, name, value):
  """Sets a uniform, unless the compiler dropped it."""
  if name in program:
    array = np.asarray(value, np.float32)
    uniform = program[name]
    # GLSL keeps a matrix's columns together; an array of vectors is no matrix.
    if array.ndim == 2 and uniform.array_length == 1:
      array = array.T
    uniform.write(np.ascontiguousarray(array).tobytes())


class Targets(NamedTuple):
  """Framebuffers of one size: multisampled, and resolved for reading."""

  samples: object
  resolved: object


@functools.cache
def targets(side):
  """The framebuffers of this side, pixels; made once."""
  gl = context()
  samples = gl.framebuffer(
    [gl.renderbuffer((side, side), 4, samples=4)],
    gl.depth_renderbuffer((side, side), samples=4),
  )
  return Targets(samples, gl.simple_framebuffer((side, side), 4))


@functools.cache
def programs():
  """The programs for depth, background and painting of skin."""
  gl = context()
  return (
    gl.program(
      shaders.source('depth_vertex'), shaders.source('depth_fragment')
    ),
    gl.program(
      shaders.source('background_vertex'), shaders.source('background_fragment')
    ),
    gl.program(
      shaders.source('paint_vertex'), shaders.source('paint_fragment')
    ),
  )


@functools.cache
def material_program(material):
  """The program of one of shaders.MATERIALS."""
  return context().program(
    shaders.source('surface_vertex'), shaders.fragment(material)
  )


@functools.cache
def shadow_map(side):
  """A depth texture of this side, pixels, and its framebuffer."""
  gl = context()
  texture = gl.depth_texture((side, side))
  texture.repeat_x = texture.repeat_y = False
  return texture, gl.framebuffer(depth_attachment=texture)
