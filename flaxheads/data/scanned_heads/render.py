"""Rasterises figures with OpenGL, without a display (EGL)."""

import numpy as np

from flaxheads.data.scanned_heads import camera as camera_lib
from flaxheads.data.scanned_heads import (
  lighting,
  meshes,
  opengl,
  textures,
  wear,
)
from flaxheads.landmarks import layout

_SHADOW_SIDE = 512
_NUM_SHELLS = {'beard': 7, 'cropped': 8}
_CUT = ('hair',)
_OPAQUE = ('skin', 'eye', 'teeth', 'tongue', 'cloth', 'rim')
_COVERING = ('hair', 'brow', 'lash', 'beard', 'cropped')
_ALPHA_TO_COVERAGE = 0x809E  # GL_SAMPLE_ALPHA_TO_COVERAGE
_STYLES = {'round': 0, 'vee': 1, 'shirt': 2, 'high': 3, 'jacket': 4}


class Renderer:
  """Renders frames of one person in one clip."""

  def __init__(self, assets, person, figure, light, background):
    """Uploads what does not change within the clip.

    Args:
      assets: the Assets.
      person: the Person.
      figure: the person's Figure.
      light: the clip's Light.
      background: uint8 [S, S, 3].
    """
    gl = opengl.context()
    self._person, self._figure, self._light = person, figure, light
    self._depth, self._backdrop, painter = opengl.programs()
    num = len(figure.source)
    fixed = np.concatenate(
      [figure.uvs, figure.place, wear.fur_density(person, figure)], -1
    ).astype(np.float32)
    self._fixed = gl.buffer(fixed.tobytes())
    self._moving = gl.buffer(reserve=num * 9 * 4)
    self._layers = []
    for layer in figure.layers:
      index = gl.buffer(np.ascontiguousarray(layer.triangles).tobytes())
      if layer.material == 'skin':
        fixed = [(self._fixed, '2f 3f 2f', 'uv', 'place', 'fur')]
        seams = meshes.border_triangles(layer.triangles)
        skin = [
          gl.vertex_array(painter, fixed, some)
          for some in (gl.buffer(seams.tobytes()), index)
        ]
        picture = textures.paint_skin(
          gl, painter, assets, person, layer.texture, skin, opengl.write
        )
      else:
        picture = textures.layer_texture(gl, assets, person, layer)
      content = [
        (self._moving, '3f 3f 3f', 'position', 'normal', 'irradiance'),
        (self._fixed, '2f 3f 2f', 'uv', 'place', 'fur'),
      ]
      array = gl.vertex_array(
        opengl.material_program(layer.material),
        content,
        index,
        skip_errors=True,
      )
      depth = gl.vertex_array(
        self._depth,
        [
          (self._moving, '3f 24x', 'position'),
          (self._fixed, '2f 20x', 'uv'),
        ],
        index,
      )
      self._layers.append((layer.material, picture, array, depth))
    quad = np.float32([-1, -1, 1, -1, -1, 1, 1, 1])
    self._quad = gl.vertex_array(
      self._backdrop, [(gl.buffer(quad.tobytes()), '2f', 'corner')]
    )
    height, width = background.shape[:2]
    self._background = gl.texture(
      (width, height), 3, background.tobytes(), alignment=1
    )
    self._panorama = gl.texture(
      (lighting.WIDTH, lighting.HEIGHT), 3, light.panorama.tobytes(), dtype='f4'
    )
    self._panorama.build_mipmaps()
    self._panorama.repeat_y = False

  def _fill(self, positions, normals, irradiance):
    data = np.concatenate([positions, normals, irradiance], -1)
    data = data[self._figure.source].astype(np.float32)
    self._moving.write(data.tobytes())

  def _draw_depth(self, matrix, side, hair=True):
    texture, frame = opengl.shadow_map(side)
    texture.compare_func = ''
    frame.use()
    frame.clear(depth=1.0)
    gl = opengl.context()
    gl.enable_only(gl.DEPTH_TEST)
    opengl.write(self._depth, 'view', matrix)
    for material, picture, _, array in self._layers:
      if material in ('lens', 'beard', 'cropped', 'lash', 'brow', 'rim'):
        continue
      if material == 'hair' and not hair:
        continue
      picture.use(0)
      self._depth['cut'] = int(material in _CUT)
      array.render()
    return texture, frame

  def transfer(self, num_directions: int = 48, side: int = 160) -> np.ndarray:
    """How far the sky lights each vertex at rest, as spherical harmonics.

    Sloan, Kautz and Snyder 2002, without interreflection.

    Returns:
      float32 [V, 9].
    """
    figure = self._figure
    zeros = np.zeros_like(figure.rest)
    rest = figure.rest
    faces = rest[figure.faces]
    normals = figure.around @ np.cross(
      faces[:, 1] - faces[:, 0], faces[:, 2] - faces[:, 0]
    )
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    self._fill(rest, normals, zeros)
    k = np.arange(num_directions) + 0.5
    y = 1 - 2 * k / num_directions
    turn = np.pi * (1 + 5**0.5) * k
    ring = np.sqrt(1 - y * y)
    ways = np.stack([ring * np.cos(turn), y, ring * np.sin(turn)], -1)
    basis = lighting.harmonics(ways)
    made = np.zeros((len(rest), 9))
    centre = figure.pivot
    shape = np.array([side, side])
    for way, row in zip(ways, basis, strict=True):
      matrix = camera_lib.lamp_matrix(way, centre)
      texture, _ = self._draw_depth(matrix, side)
      depth = np.frombuffer(texture.read(), np.float32).reshape(side, side)
      at = rest @ matrix[:3, :3].T + matrix[:3, 3]
      pixel = ((at[:, :2] * 0.5 + 0.5) * shape).astype(int).clip(0, side - 1)
      seen = at[:, 2] * 0.5 + 0.5 < depth[pixel[:, 1], pixel[:, 0]] + 0.007
      facing = np.clip((normals @ way + 0.15) / 1.15, 0, 1)
      made += (np.where(seen, 1.0, 0.12) * facing)[:, None] * row
    made *= 4 / num_directions
    # The mouth is shut at rest. In an open one, incisors are lit nearly as the
    # lips are; the shader darkens what lies deeper.
    lips = figure.landmarks[list(layout.OUTER_LIPS)]
    made[figure.inside] = 0.75 * made[lips].mean(0)
    return made.astype(np.float32)

  def _frame_values(self, camera, head, gaze, exposure, lamp):
    """Uniforms of all materials."""
    person, light = self._person, self._light
    return {
      'lamp_view': lamp,
      'view': camera_lib.view_matrix(camera),
      'eye_point': (0.0, 0.0, camera.distance + camera_lib.FACE_Z),
      'lamps': light.lamps,
      'lamp_colours': light.colours,
      'softness': 0.03 + 0.1 * light.softness,
      'exposure': exposure,
      'hair': person.hair_colour,
      'iris': person.iris_colour,
      'tooth': person.tooth_colour,
      'cloth': person.cloth_colours,
      'cloth_style': (
        _STYLES[person.cloth[0]],
        person.cloth[1],
        person.cloth[3],
        float(person.cropped > 0),
      ),
      'marks': (person.freckles, person.shine, person.beard[0], 0.012),
      'brow_strength': person.brow_strength,
      'seed': (person.asymmetry % 9973) / 97.0,
      'gaze': gaze,
      'head': head,
    }

  def frame(self, camera, pose, head, gaze, irradiance, exposure, side):
    """Renders one frame: uint8 [side, side, 3].

    Args:
      camera: the Camera.
      pose: positions and normals, [V, 3] each.
      head: float [3, 3] the head's rotation.
      gaze: float [3, 3] the eyes' rotation in the head.
      irradiance: float32 [V, 3] of the panorama, divided by pi.
      exposure: factor before the film's curve.
      side: pixels.
    """
    gl = opengl.context()
    positions, normals = pose
    self._fill(positions, normals, irradiance)
    centre = self._figure.pivot + positions[:100].mean(0) * 0
    lamp = camera_lib.lamp_matrix(self._light.lamps[0], centre)
    texture, _ = self._draw_depth(lamp, _SHADOW_SIDE)
    texture.compare_func = '<='
    values = self._frame_values(camera, head, gaze, exposure, lamp)
    targets = opengl.targets(side)
    targets.samples.use()
    targets.samples.clear(0, 0, 0, 1, depth=1.0)
    gl.enable_only(gl.DEPTH_TEST)
    self._background.use(0)
    self._backdrop['picture'] = 0
    self._quad.render(gl.TRIANGLE_STRIP)
    self._panorama.use(1)
    texture.use(2)
    textures.grain(gl).use(3)
    # Opaque layers, then those with coverage by alpha, then lenses.
    for passing in (_OPAQUE, _COVERING, ('lens',)):
      if passing is _COVERING:
        gl.enable_direct(_ALPHA_TO_COVERAGE)
      for index, layer in enumerate(self._layers):
        if layer[0] in passing:
          self._draw(index, layer, values)
      if passing is _COVERING:
        gl.disable_direct(_ALPHA_TO_COVERAGE)
        gl.enable(gl.BLEND)
    gl.disable(gl.BLEND)
    gl.copy_framebuffer(targets.resolved, targets.samples)
    raw = targets.resolved.read(components=3)
    return np.frombuffer(raw, np.uint8).reshape(side, side, 3)

  def _draw(self, index, layer, values):
    material, picture, array, _ = layer
    person, program = self._person, opengl.material_program(material)
    for name, value in values.items():
      opengl.write(program, name, value)
    if material == 'eye':
      eyes = [i for i, other in enumerate(self._layers) if other[0] == 'eye']
      opengl.write(program, 'ball', self._figure.eyes[eyes.index(index)])
    paint = person.glasses_colour
    if material == 'hair':
      paint = np.full(3, textures.brightness(picture))
    opengl.write(program, 'paint', paint)
    shells = _NUM_SHELLS.get(material, 0)
    lengths = {'beard': person.beard[1], 'cropped': person.cropped}
    for name, value in (
      ('num_shells', shells),
      ('num_lamps', int((self._light.colours.sum(-1) > 0).sum())),
      ('fur_length', lengths.get(material, 0.0)),
      ('picture', 0),
      ('panorama', 1),
      ('shadow_map', 2),
      ('grain', 3),
    ):
      if name in program:
        program[name] = value
    picture.use(0)
    array.render(instances=max(shells, 1))
