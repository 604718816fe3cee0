"""Meshes as MakeHuman stores them: .obj files, .target morphs, .mhclo fits."""

from typing import NamedTuple

import numpy as np

CM = 10.0  # MakeHuman's unit is a decimetre
EYE_LEVEL = 7.285  # of the base mesh; the origin of our coordinates


class Mesh(NamedTuple):
  """Triangles with texture coordinates.

  Attributes:
    positions: float32 [V, 3].
    uvs: float32 [T, 2].
    corners: int32 [F, 3], each corner's position.
    uv_corners: int32 [F, 3], each corner's texture coordinates.
    groups: [F] names of the groups that the triangles belong to.
  """

  positions: np.ndarray
  uvs: np.ndarray
  corners: np.ndarray
  uv_corners: np.ndarray
  groups: np.ndarray


class Fit(NamedTuple):
  """How a worn mesh follows the base mesh (.mhclo).

  Attributes:
    vertices: int32 [V, 3], vertices of the base mesh.
    weights: float32 [V, 3].
    offsets: float32 [V, 3], multiples of `scale`.
    references: three triples (first vertex, second vertex, distance in dm).
  """

  vertices: np.ndarray
  weights: np.ndarray
  offsets: np.ndarray
  references: tuple


class Unwelded(NamedTuple):
  """A mesh whose vertices have one texture coordinate each, as GL wants it.

  Attributes:
    source: int32 [W], the vertex of the mesh that each one repeats.
    uvs: float32 [W, 2].
    triangles: int32 [F, 3].
  """

  source: np.ndarray
  uvs: np.ndarray
  triangles: np.ndarray


def to_cm(positions: np.ndarray) -> np.ndarray:
  """Decimetres of the base mesh to centimetres from between the eyes."""
  return (positions - np.float32([0, EYE_LEVEL, 0])) * np.float32(CM)


def parse_obj(text: str) -> Mesh:
  """Reads positions, texture coordinates and polygons (cut into triangles)."""
  positions, uvs, corners, uv_corners, groups = [], [], [], [], []
  group = ''
  for line in text.splitlines():
    word, _, rest = line.partition(' ')
    if word == 'v':
      positions.append(rest.split()[:3])
    elif word == 'vt':
      uvs.append(rest.split()[:2])
    elif word == 'g':
      group = rest.strip()
    elif word == 'f':
      ends = [(end.split('/') + ['1'])[:2] for end in rest.split()]
      v = [int(end[0]) - 1 for end in ends]
      t = [int(end[1] or 1) - 1 for end in ends]
      for k in range(1, len(v) - 1):
        corners.append((v[0], v[k], v[k + 1]))
        uv_corners.append((t[0], t[k], t[k + 1]))
        groups.append(group)
  return Mesh(
    np.array(positions, np.float32).reshape(-1, 3),
    np.array(uvs, np.float32).reshape(-1, 2),
    np.array(corners, np.int32),
    np.array(uv_corners, np.int32),
    np.array(groups),
  )


def parse_target(text: str, num_vertices: int) -> np.ndarray:
  """Reads the offsets of a morph: float32 [num_vertices, 3], dm."""
  rows = [
    line.split()
    for line in text.splitlines()
    if line and not line.startswith('#')
  ]
  offsets = np.zeros((num_vertices, 3), np.float32)
  if rows:
    table = np.array(rows, np.float64)
    offsets[table[:, 0].astype(int)] = table[:, 1:4]
  return offsets


def parse_mhclo(text: str) -> Fit:
  """Reads how a worn mesh is attached to the base mesh."""
  references, rows, reading = [None] * 3, [], False
  for line in text.splitlines():
    words = line.split()
    if not words:
      continue
    if words[0] in ('x_scale', 'y_scale', 'z_scale'):
      first, second, distance = words[1:4]
      reference = (int(first), int(second), float(distance))
      references['xyz'.index(words[0][0])] = reference
    elif words[0] == 'verts':
      reading = True
    elif reading and words[0].lstrip('-').isdigit():
      numbers = [float(word) for word in words]
      if len(numbers) == 1:
        numbers = [numbers[0]] * 3 + [1, 0, 0]
      rows.append(numbers[:9] + [0.0] * (9 - len(numbers)))
    elif words[0] == 'delete_verts':
      break
  table = np.array(rows, np.float64)
  return Fit(
    table[:, :3].astype(np.int32),
    table[:, 3:6].astype(np.float32),
    table[:, 6:9].astype(np.float32),
    tuple(references),
  )


def scale_of(fit: Fit, base: np.ndarray) -> np.ndarray:
  """How much larger than the base mesh a person is where this is worn: [3]."""
  return np.array(
    [
      abs(base[first, axis] - base[second, axis]) / distance
      for axis, (first, second, distance) in enumerate(fit.references)
    ],
    np.float32,
  )


def wear(fit: Fit, base: np.ndarray, scale: np.ndarray) -> np.ndarray:
  """Positions of a worn mesh.

  Args:
    fit: of the worn mesh.
    base: the person's base mesh, float32 [..., V, 3].
    scale: see scale_of; zeros give how the mesh moves when `base` does.

  Returns:
    float32 [..., W, 3].
  """
  at = base[..., fit.vertices, :]  # [..., W, 3 corners, 3]
  return (at * fit.weights[..., None]).sum(-2) + fit.offsets * scale


def unweld(corners: np.ndarray, uv_corners: np.ndarray, uvs) -> Unwelded:
  """Gives every vertex one texture coordinate."""
  pairs = np.stack([corners, uv_corners], -1).reshape(-1, 2)
  unique, inverse = np.unique(pairs, axis=0, return_inverse=True)
  return Unwelded(
    unique[:, 0].astype(np.int32),
    np.asarray(uvs, np.float32)[unique[:, 1]],
    inverse.reshape(-1, 3).astype(np.int32),
  )


def border_triangles(triangles: np.ndarray) -> np.ndarray:
  """Triangles with an edge that no other one shares: int32 [B, 3]."""
  edges = triangles[:, [[0, 1], [1, 2], [2, 0]]]  # [F, 3, 2]
  _, which, count = np.unique(
    np.sort(edges, -1).reshape(-1, 2),
    axis=0,
    return_inverse=True,
    return_counts=True,
  )
  lone = count[which.ravel()].reshape(-1, 3) == 1
  return np.ascontiguousarray(triangles[lone.any(1)])


def vertex_normals(positions: np.ndarray, faces: np.ndarray) -> np.ndarray:
  """Unit normals, of the triangles around each vertex by area: [V, 3]."""
  a, b, c = (positions[faces[:, k]] for k in range(3))
  across = np.cross(b - a, c - a)
  normals = np.zeros_like(positions)
  for k in range(3):
    np.add.at(normals, faces[:, k], across)
  return normals / np.maximum(
    np.linalg.norm(normals, axis=1, keepdims=True), 1e-9
  )
