"""Textures of a person's layers, on the GPU."""

import functools

import cv2
import numpy as np
import scipy.ndimage

_FOLDER = 'makehuman'


@functools.lru_cache(maxsize=6)
def _skin_pixels(assets, name):
  """RGB and, as alpha, the height of pores and wrinkles: uint8 [N, N, 4]."""
  rgb = assets.image(f'{_FOLDER}/skins/{name}.jpg', 'RGB', 2048)
  grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
  smooth = cv2.GaussianBlur(grey, (0, 0), 9)
  height = np.clip(128 + 3.0 * (grey - smooth), 0, 255).astype(np.uint8)
  return np.dstack([rgb, height])


@functools.lru_cache(maxsize=24)
def _image_texture(gl, assets, name, size):
  rgba = assets.image(f'{_FOLDER}/{name}.png', 'RGBA', size)
  texture = _upload(gl, rgba)
  seen = rgba[rgba[..., 3] > 128]
  grey = seen[:, :3] @ np.float32([0.3, 0.5, 0.2]) / 255
  texture.extra = float(1 / max(grey.mean(), 0.05)) * 0.31
  return texture


@functools.lru_cache(maxsize=6)
def _skin_texture(gl, assets, name):
  """The published texture, and the mean of its face as linear RGB."""
  pixels = _skin_pixels(assets, name)
  cheeks = pixels[930:980, 1780:1840, :3].reshape(-1, 3) / 255.0
  return _upload(gl, pixels), (cheeks**2.2).mean(0)


@functools.cache
def grain(gl):
  """Tiling noise of two scales: a texture of 32^3 pixels."""
  rng = np.random.default_rng(0)
  coarse = scipy.ndimage.gaussian_filter(
    rng.standard_normal((32, 32, 32)), 1.0, mode='wrap'
  )
  fine = scipy.ndimage.gaussian_filter(
    rng.standard_normal((32, 32, 32)), 0.55, mode='wrap'
  )
  pair = np.stack([coarse, fine], -1)
  pair = 0.5 + 0.22 * pair / pair.std((0, 1, 2))
  pixels = (np.clip(pair, 0, 1) * 255).astype(np.uint8)
  texture = gl.texture3d((32, 32, 32), 2, pixels.tobytes())
  texture.build_mipmaps()
  texture.filter = (gl.LINEAR, gl.LINEAR)
  return texture


@functools.cache
def _canvas(gl, side):
  texture = gl.texture((side, side), 4)
  texture.filter = (gl.LINEAR_MIPMAP_LINEAR, gl.LINEAR)
  return texture, gl.framebuffer(texture)


def paint_skin(gl, program, assets, person, array, write, side=1024):
  """Paints the person's skin: tone, lips, freckles, stubble.

  Args:
    gl: the context.
    program: of shaders.PAINT_*.
    assets: the Assets.
    person: the Person.
    array: vertex array of the skin's triangles.
    write: sets a uniform: (program, name, value).
    side: of the painted texture, pixels.

  Returns:
    The texture; the next call overwrites it.
  """
  source, mean = _skin_texture(gl, assets, person.skin)
  texture, frame = _canvas(gl, side)
  frame.use()
  frame.clear(*(person.tone ** (1 / 2.2)), 0.5)
  gl.enable_only(gl.NOTHING)
  values = {
    'mean': mean,
    'tone': person.tone,
    'lip': person.lip_colour,
    'hair': person.hair_colour,
    'marks': (person.freckles, person.beard[0], float(person.cropped > 0)),
    'seed': (person.asymmetry % 9973) / 97.0,
  }
  for name, value in values.items():
    write(program, name, value)
  program['picture'], program['grain'] = 0, 3
  source.use(0)
  grain(gl).use(3)
  array.render()
  texture.build_mipmaps()
  return texture


@functools.cache
def _white(gl):
  return gl.texture((1, 1), 4, b'\xff' * 4)


def _upload(gl, pixels):
  height, width = pixels.shape[:2]
  # Row 0 of GL's textures is v = 0, the lower edge.
  data = np.ascontiguousarray(pixels[::-1]).tobytes()
  texture = gl.texture((width, height), 4, data)
  texture.build_mipmaps()
  texture.filter = (gl.LINEAR_MIPMAP_LINEAR, gl.LINEAR)
  return texture


def brightness(texture) -> float:
  """Factor that brings a hair texture to the common brightness."""
  return texture.extra


def layer_texture(gl, assets, person, layer):
  """The texture of a layer; a white one where it has none."""
  if not layer.texture:
    return _white(gl)
  if layer.material == 'eye':
    return _image_texture(gl, assets, f'eyes/materials/{person.iris}_eye', 512)
  size = 1024 if layer.material == 'hair' else 512
  return _image_texture(gl, assets, layer.texture, size)
