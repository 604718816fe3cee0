"""A person's whole mesh: skin, eyes, teeth, hair, clothes, in one buffer."""

import functools
from typing import NamedTuple

import numpy as np
import scipy.sparse

from flaxheads.data.scanned_heads import meshes, wear
from flaxheads.data.scanned_heads.assets import Assets
from flaxheads.data.scanned_heads.identity import Person


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
    landmarks: int32 [68] the vertices of the points, in layout.py's order.
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
  landmarks: np.ndarray


class Parts:
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


class WornMesh(NamedTuple):
  """A mesh of MakeHuman that is worn: brows, lashes, hair, teeth, tongue.

  Attributes:
    fit: how it follows MakeHuman's base mesh.
    faces: int32 [F, 3].
    welded: meshes.Unwelded.
  """

  fit: meshes.Fit
  faces: np.ndarray
  welded: meshes.Unwelded


@functools.lru_cache(maxsize=64)
def read_worn(assets: Assets, folder: str, name: str) -> WornMesh:
  """Reads makehuman/FOLDER/NAME."""
  path = f'makehuman/{folder}/{name}/{name}'
  mesh = meshes.parse_obj(assets.text(f'{path}.obj'))
  return WornMesh(
    meshes.parse_mhclo(assets.text(f'{path}.mhclo')),
    mesh.corners,
    meshes.unweld(mesh.corners, mesh.uv_corners, mesh.uvs),
  )


def dress(parts: Parts, person: Person, worn, eyes, skin, chest) -> None:
  """Adds what both families wear: brows, clothes, glasses and hair.

  Args:
    parts: to add to.
    person: who.
    worn: adds a mesh: (kind, folder, name, texture, moving).
    eyes: float [2, 4], see Figure.
    skin: float [V, 3] the skin's vertices, where glasses rest.
    chest: (positions, places, faces) of the skin under the clothes.
  """
  brows = f'eyebrow{person.brows:03d}'
  worn('brow', 'eyebrows', brows, f'eyebrows/{brows}/{brows}')
  parts.add('cloth', *wear.cloth(person, *chest))
  if person.glasses[0]:
    for kind, mesh in wear.glasses(person, np.array(eyes), skin):
      parts.add(kind, *mesh)
  if person.hair:
    texture = f'hair/{person.hair}/{person.hair}_diffuse'
    worn('hair', 'hair', person.hair, texture, moving=False)


def _turning(place, hair):
  """How far vertices turn with the head: 0 on the chest, 1 above the chin."""
  y = place[:, 1] + 0.75 * np.clip(place[:, 2] - 8.5, 0, 6)
  low, high = (-19.0, -11.0)
  t = np.clip((y - low) / (high - low), 0, 1)
  t = t * t * (3 - 2 * t)
  return np.where(hair, np.clip(1.25 * t, 0, 1), t).astype(np.float32)


def assemble(parts: Parts, eyes, pivot, landmarks, num_skin) -> Figure:
  """Makes the Figure of all parts; see Figure for the other arguments."""
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
    num_skin=num_skin,
    landmarks=np.asarray(landmarks, np.int32),
  )


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
