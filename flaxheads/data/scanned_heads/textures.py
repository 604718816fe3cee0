"""Textures of a person's layers, on the GPU."""

import functools
import itertools

import cv2
import numpy as np
import scipy.ndimage

from flaxheads.data.scanned_heads import ict

_FOLDER = 'makehuman'
_SKIN_SIDE = 2048
_MARGIN = 4  # pixels beyond the borders of a painted skin
# Layers without an image, sRGB; '' is of layers that shaders colour.
_PLAIN = {
  '': (255, 255, 255),
  'enamel': (172, 166, 154),
  'gum': (196, 112, 112),
  'socket': (150, 70, 68),
}


def _skin_pixels(assets, name):
  """RGB and, as alpha, the height of pores and wrinkles: uint8 [N, N, 4]."""
  rgb = assets.image(f'{_FOLDER}/skins/{name}.jpg', 'RGB', _SKIN_SIDE)
  grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
  smooth = cv2.GaussianBlur(grey, (0, 0), 9)
  height = np.clip(128 + 3.0 * (grey - smooth), 0, 255).astype(np.uint8)
  return np.dstack([rgb, height])


@functools.lru_cache(maxsize=64)
def _image_texture(gl, assets, name, size):
  rgba = assets.image(f'{_FOLDER}/{name}.png', 'RGBA', size)
  texture = _upload(gl, rgba)
  seen = rgba[rgba[..., 3] > 128]
  grey = seen[:, :3] @ np.float32([0.3, 0.5, 0.2]) / 255
  texture.extra = float(1 / max(grey.mean(), 0.05)) * 0.31
  return texture


@functools.lru_cache(maxsize=16)  # all published ones; a second each to make
def _skin_texture(gl, assets, name):
  """The published texture, and the mean of its face as linear RGB.

  Args:
    gl: the context.
    assets: the Assets.
    name: stem of the file; with the prefix `ict/`, laid out for that mesh.
  """
  family, _, stem = name.rpartition('/')
  pixels = _skin_pixels(assets, stem)
  cheeks = pixels[930:980, 1780:1840, :3].reshape(-1, 3) / 255.0
  if family == 'ict':
    at = ict.skin_map(assets) * [1, -1] + [0, 1]
    at = np.float32(at * _SKIN_SIDE - 0.5)
    pixels = cv2.remap(pixels, at, None, cv2.INTER_LINEAR)
  return _upload(gl, pixels), (cheeks**2.2).mean(0)


@functools.cache
def _lash_texture(gl, number):
  """Strands from root (v = 0) to tip (v = 1), as alpha: 1024 x 64 pixels."""
  rng = np.random.default_rng(number)
  alpha = np.zeros((64, 1024), np.uint8)
  for root in np.arange(8, 1016, rng.uniform(9, 14)):
    root = root + rng.normal(0, 2)
    height = rng.uniform(0.55, 0.98) * 64
    along = np.linspace(0, 1, 9)
    lean = rng.normal(0, 6) + (root - 512) / 60
    x, y = root + lean * along**2, height * along
    points = np.stack([x, y], -1).round().astype(np.int32)
    for k in range(8):
      thick = 3 if k < 3 else 2 if k < 6 else 1
      cv2.line(alpha, points[k], points[k + 1], 255, thick, cv2.LINE_AA)
  alpha[:2] = 120  # the line of the roots
  pixels = np.zeros((64, 1024, 4), np.uint8)
  pixels[..., 3] = alpha
  return _upload(gl, pixels[::-1])


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
def _canvas(gl, side, layout):
  del layout  # one canvas for each
  texture = gl.texture((side, side), 4)
  texture.filter = (gl.LINEAR_MIPMAP_LINEAR, gl.LINEAR)
  return texture, gl.framebuffer(texture)


def paint_skin(gl, program, assets, person, name, arrays, write, side=1024):
  """Paints the person's skin: tone, lips, freckles, stubble.

  Args:
    gl: the context.
    program: of shaders.PAINT_*.
    assets: the Assets.
    person: the Person.
    name: of the published texture; see _skin_texture.
    arrays: vertex arrays of the skin's triangles at the borders of the
      texture's pieces, and of all.
    write: sets a uniform: (program, name, value).
    side: of the painted texture, pixels.

  Returns:
    The texture; the next person's overwrites it.
  """
  source, mean = _skin_texture(gl, assets, name)
  texture, frame = _canvas(gl, side, name.rpartition('/')[0])
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
  seams, skin = arrays
  # The borders' colours go on beyond them, where filtering reads.
  for x, y in itertools.product((-_MARGIN, 0, _MARGIN), repeat=2):
    write(program, 'nudge', np.array([x, y]) * 2 / side)
    seams.render()
  write(program, 'nudge', np.zeros(2))
  skin.render()
  texture.build_mipmaps()
  return texture


@functools.cache
def _plain(gl, colour):
  return gl.texture((1, 1), 4, bytes((*colour, 255)))


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
  """The texture of a layer; one colour where it has none."""
  if layer.texture in _PLAIN:
    return _plain(gl, _PLAIN[layer.texture])
  if layer.texture.startswith('lashes/'):
    return _lash_texture(gl, person.lashes)
  if layer.material == 'eye':
    return _image_texture(gl, assets, f'eyes/materials/{person.iris}_eye', 512)
  size = 1024 if layer.material == 'hair' else 512
  return _image_texture(gl, assets, layer.texture, size)
