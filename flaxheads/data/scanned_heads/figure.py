"""A person's whole mesh: skin, eyes, teeth, hair, clothes, in one buffer."""

from typing import NamedTuple

import numpy as np
import scipy.sparse

from flaxheads.data.scanned_heads import makehuman, meshes, wear
from flaxheads.data.scanned_heads.assets import Assets
from flaxheads.data.scanned_heads.identity import Person
from flaxheads.data.scanned_heads.points import VERTICES

_JOINTS = {'neck': slice(14534, 14542), 'head': slice(14070, 14078)}
_MAKEHUMAN = 'makehuman'
_UPPER_LIP = VERTICES[62]  # the middle of its lower edge
_TONGUE_LOW, _TONGUE_BACK = 0.25, 0.3  # cm, as a tongue lies in speech


class Layer(NamedTuple):
  """Triangles that are drawn in one call.

  Attributes:
    material: name; see shaders.py.
    triangles: int32 [T, 3] of the figure's corners.
    texture: name of the texture's file; '' none.
  """

  material: str
  triangles: np.ndarray
  texture: str = ''


class Figure(NamedTuple):
  """A person, centimetres; the origin lies between the eyes (x, y).

  Attributes:
    rest: float32 [V, 3] positions without expression.
    units: float32 [U, V, 3] how the face units move them.
    follow: float32 [V] how far a vertex turns with the head.
    faces: int32 [F, 3] vertices of the triangles, for normals.
    around: sparse [V, F], the triangles around a vertex.
    source: int32 [W] the vertex of each corner.
    uvs: float32 [W, 2].
    place: float32 [W, 3] where the corner lies on an average person; patterns
      of skin and clothes are functions of it.
    layers: tuple of Layer.
    eyes: float32 [2, 4] centres and radii of the eyeballs (image left, right).
    pivot: float32 [3] where the head turns.
    inside: bool [V] teeth and tongue.
    num_skin: the first vertices are those of the skin.
    skin_ids: int32 [num_skin] their numbers in the base mesh.
  """

  rest: np.ndarray
  units: np.ndarray
  follow: np.ndarray
  faces: np.ndarray
  around: scipy.sparse.csr_matrix
  source: np.ndarray
  uvs: np.ndarray
  place: np.ndarray
  layers: tuple
  eyes: np.ndarray
  pivot: np.ndarray
  num_skin: int
  inside: np.ndarray
  skin_ids: np.ndarray


class _Parts:
  """Collects meshes into one."""

  def __init__(self, num_units):
    self.rest, self.units, self.place, self.faces = [], [], [], []
    self.source, self.uvs, self.layers, self.kinds = [], [], [], []
    self.num_units = num_units
    self.num = self.num_corners = 0

  def add(self, kind, rest, faces, welded, texture='', units=None, place=None):
    """Adds a mesh; `welded` is its meshes.Unwelded."""
    if units is None:
      units = np.zeros((self.num_units, len(rest), 3), np.float32)
    self.rest.append(rest)
    self.units.append(units)
    self.place.append(rest if place is None else place)
    self.faces.append(faces + self.num)
    self.source.append(welded.source + self.num)
    self.uvs.append(welded.uvs)
    self.kinds.append(np.full(len(rest), kind))
    triangles = (welded.triangles + self.num_corners).astype(np.int32)
    self.layers.append(Layer(kind, triangles, texture))
    self.num += len(rest)
    self.num_corners += len(welded.source)
    return triangles


def _person_weights(person: Person, template) -> dict:
  weights = makehuman.macro_weights(
    person.race, person.masculine, person.age, person.muscle, person.weight
  )
  rng = np.random.default_rng(person.asymmetry)
  for name, low, high in makehuman.sliders(template.morph_names):
    value = person.sliders[name]
    chosen = low if value < 0 else high
    for morph in chosen:
      weights[morph] = abs(value) + 0.03 * rng.normal()
  return weights


def reference_shape(template) -> np.ndarray:
  """The average person, dm: where patterns of skin and clothes are defined."""
  return makehuman.shape(
    template, makehuman.macro_weights((1 / 3, 1 / 3, 1 / 3), 0.5, 0.1, 0, 0)
  )


def _centred(shape, template, centre=None):
  positions = meshes.to_cm(shape)
  if centre is None:
    eyes = [positions[e].mean(0) for e in template.eye_vertices]
    centre = np.float32([0, (eyes[0][1] + eyes[1][1]) / 2, 0])
  return positions - centre


def _turning(place, hair):
  """How far vertices turn with the head: 0 on the chest, 1 above the chin."""
  y = place[:, 1] + 0.75 * np.clip(place[:, 2] - 8.5, 0, 6)
  low, high = (-19.0, -11.0)
  t = np.clip((y - low) / (high - low), 0, 1)
  t = t * t * (3 - 2 * t)
  return np.where(hair, np.clip(1.25 * t, 0, 1), t).astype(np.float32)


def _worn(assets, folder, name, bodies, shape, moving):
  """A worn mesh: positions, faces, Unwelded, units, places."""
  base, reference, cm_units = bodies
  path = f'{_MAKEHUMAN}/{folder}/{name}/{name}'
  fit = meshes.parse_mhclo(assets.text(f'{path}.mhclo'))
  mesh = meshes.parse_obj(assets.text(f'{path}.obj'))
  rest = meshes.wear(fit, base, meshes.scale_of(fit, shape) * meshes.CM)
  units = None
  if moving:
    units = meshes.wear(fit, cm_units, np.zeros(3, np.float32))
  welded = meshes.unweld(mesh.corners, mesh.uv_corners, mesh.uvs)
  place = meshes.wear(fit, reference, np.full(3, meshes.CM, np.float32))
  return rest, mesh.corners, welded, units, place


def _teeth_drop(parts, person, lip, unit_names):
  """Cm by which MakeHuman's teeth, which sit high, have to come down."""
  rest = parts.rest[-1]
  with_jaw = np.linalg.norm(
    parts.units[-1][unit_names.index('jawOpen')], axis=1
  )
  upper = rest[(with_jaw < 0.5) & (np.abs(rest[:, 0] - lip[0]) < 1)]
  incisors = upper[upper[:, 2] > upper[:, 2].max() - 0.6]
  return incisors[:, 1].min() - (lip[1] - person.teeth_shown)


def _assemble(parts, eyes, pivot, ids) -> Figure:
  rest = np.concatenate(parts.rest).astype(np.float32)
  place = np.concatenate(parts.place).astype(np.float32)
  kinds = np.concatenate(parts.kinds)
  faces = np.concatenate(parts.faces).astype(np.int32)
  corner = np.arange(faces.size) // 3
  around = scipy.sparse.csr_matrix(
    (np.ones(faces.size, np.float32), (faces.ravel(), corner)),
    shape=(len(rest), len(faces)),
  )
  source = np.concatenate(parts.source).astype(np.int32)
  return Figure(
    rest=rest,
    units=np.concatenate(parts.units, 1).astype(np.float32),
    follow=_turning(place, kinds == 'hair'),
    faces=faces,
    around=around,
    source=source,
    uvs=np.concatenate(parts.uvs).astype(np.float32),
    place=place[source],
    layers=tuple(parts.layers),
    eyes=np.array(eyes, np.float32),
    pivot=pivot.astype(np.float32),
    inside=np.isin(kinds, ('teeth', 'tongue')),
    num_skin=len(ids),
    skin_ids=ids,
  )


def build(assets: Assets, person: Person) -> Figure:
  """Makes a person's meshes; takes about 0.2 s."""
  template = makehuman.load(assets)
  shape = makehuman.shape(template, _person_weights(person, template))
  base = _centred(shape, template)
  reference = _centred(reference_shape(template), template)
  cm_units = template.units * np.float32(meshes.CM)
  parts = _Parts(len(cm_units))

  ids, compact = np.unique(template.skin.source, return_inverse=True)
  skin = template.skin._replace(source=compact.astype(np.int32))
  faces = skin.source[skin.triangles]
  triangles = parts.add(
    'skin',
    base[ids],
    faces,
    skin,
    person.skin,
    cm_units[:, ids],
    reference[ids],
  )
  fur = wear.fur_triangles(person, reference[ids], faces, triangles)
  parts.layers.extend(Layer(kind, some) for kind, some in fur)

  eyes = []
  for vertices in template.eye_vertices:
    ball = base[vertices]
    centre = (ball.min(0) + ball.max(0)) / 2
    radius = np.linalg.norm(ball - centre, axis=-1).mean() * 0.985
    eyes.append([*centre, radius])
    sphere = wear.eyeball(centre, radius)
    parts.add('eye', *sphere, person.iris)

  bodies = (base, reference, cm_units)

  def worn(kind, folder, name, texture, moving=True):
    mesh = _worn(assets, folder, name, bodies, shape, moving)
    parts.add(kind, *mesh[:3], texture, *mesh[3:])

  teeth = f'teeth_shape{person.teeth:02d}' if person.teeth else 'teeth_base'
  worn('teeth', 'teeth', teeth, 'teeth/materials/teeth')
  down = _teeth_drop(parts, person, base[_UPPER_LIP], template.unit_names)
  parts.rest[-1][:, 1] -= down
  worn('tongue', 'tongue', 'tongue01', 'tongue/tongue01/tongue01_diffuse')
  parts.rest[-1] -= np.float32([0, down + _TONGUE_LOW, _TONGUE_BACK])
  brows = f'eyebrow{person.brows:03d}'
  worn('brow', 'eyebrows', brows, f'eyebrows/{brows}/{brows}')
  lashes = f'eyelashes{person.lashes:02d}'
  worn('lash', 'eyelashes', lashes, f'eyelashes/{lashes}/{lashes}')
  cloth = wear.cloth(person, base[ids], reference[ids], faces)
  parts.add('cloth', *cloth)
  if person.glasses[0]:
    for kind, mesh in wear.glasses(person, np.array(eyes), base[ids]):
      parts.add(kind, *mesh)
  if person.hair:
    texture = f'hair/{person.hair}/{person.hair}_diffuse'
    worn('hair', 'hair', person.hair, texture, moving=False)

  pivot = (base[_JOINTS['neck']].mean(0) + base[_JOINTS['head']].mean(0)) / 2
  return _assemble(parts, eyes, pivot, ids)


def pose(figure: Figure, units, head, body, shift):
  """Positions and normals of one frame.

  Args:
    figure: the person.
    units: float32 [U].
    head: float32 [3, 3] rotation of the head.
    body: float32 [3, 3] rotation of the chest.
    shift: float32 [3] cm.

  Returns:
    Positions and unit normals, float32 [V, 3] each.
  """
  moved = figure.rest + np.tensordot(units, figure.units, 1)
  offset = moved - figure.pivot
  follow = figure.follow[:, None]
  turned = follow * (offset @ head.T) + (1 - follow) * (offset @ body.T)
  positions = turned + figure.pivot + shift
  a, b, c = (positions[figure.faces[:, k]] for k in range(3))
  normals = figure.around @ np.cross(b - a, c - a)
  length = np.linalg.norm(normals, axis=-1, keepdims=True)
  return positions, normals / np.maximum(length, 1e-9)
