"""Where one family's head lies on another's: fitted once, used for textures.

A mesh is aligned by its 68 points, bent so that they coincide, and then drawn
to the closest points of the other surface while its displacements stay smooth
(non-rigid ICP, in the manner of Amberg, Romdhani and Vetter 2007).
"""

from typing import NamedTuple

import numpy as np
import scipy.interpolate
import scipy.sparse
import scipy.sparse.linalg
from scipy.spatial import cKDTree

from flaxheads.data.scanned_heads import meshes

_STIFFNESS = (40.0, 15.0, 6.0, 2.5)  # of the displacements, a round each
_FAR = 3.0  # cm; no closest point is looked for beyond
_CANDIDATES = 6  # triangles by their middles, for the exact closest point
_NEIGHBOURS = 32


class Surface(NamedTuple):
  """A triangle mesh, for closest points.

  Attributes:
    positions: float [V, 3].
    faces: int [F, 3].
    normals: float [F, 3].
    tree: of the triangles' middles.
  """

  positions: np.ndarray
  faces: np.ndarray
  normals: np.ndarray
  tree: cKDTree


class Similarity(NamedTuple):
  """x becomes scale * rotation @ x + shift."""

  scale: float
  rotation: np.ndarray
  shift: np.ndarray

  def turn(self, offsets: np.ndarray) -> np.ndarray:
    """Maps differences of positions, [..., 3]."""
    return (self.scale * offsets @ self.rotation.T).astype(np.float32)

  def __call__(self, positions: np.ndarray) -> np.ndarray:
    return self.turn(positions) + np.float32(self.shift)


def align(source: np.ndarray, target: np.ndarray) -> Similarity:
  """The similarity that brings points onto others (Umeyama 1991)."""
  a, b = source - source.mean(0), target - target.mean(0)
  u, values, vt = np.linalg.svd(b.T @ a)
  flip = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
  rotation = (u * flip) @ vt
  scale = (values * flip).sum() / np.square(a).sum()
  shift = target.mean(0) - scale * rotation @ source.mean(0)
  return Similarity(float(scale), rotation, shift)


def surface(positions: np.ndarray, faces: np.ndarray) -> Surface:
  """Prepares a mesh for `closest`."""
  corners = positions[faces]  # [F, 3, 3]
  normals = np.cross(
    corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
  )
  normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
  return Surface(positions, faces, normals, cKDTree(corners.mean(1)))


def _barycentric(corners, points):
  """Of the points' projections, clipped to the triangles: [..., 3]."""
  a, b, c = (corners[..., k, :] for k in range(3))
  ab, ac, ap = b - a, c - a, points - a
  d00, d01, d11 = ((x * y).sum(-1) for x, y in ((ab, ab), (ab, ac), (ac, ac)))
  d20, d21 = (ap * ab).sum(-1), (ap * ac).sum(-1)
  area = np.maximum(d00 * d11 - d01 * d01, 1e-12)
  v, w = (d11 * d20 - d01 * d21) / area, (d00 * d21 - d01 * d20) / area
  weights = np.clip(np.stack([1 - v - w, v, w], -1), 0, None)
  return weights / weights.sum(-1, keepdims=True)


def closest(mesh: Surface, points: np.ndarray, chunk: int = 1 << 17):
  """The closest triangles to points [P, 3].

  Outside of a triangle the clipped barycentric coordinates are near its
  closest point, not exactly it.

  Returns:
    Triangles int [P], barycentric coordinates float [P, 3], distances [P].
  """
  made = []
  for start in range(0, len(points), chunk):
    some = points[start : start + chunk]
    _, near = mesh.tree.query(some, k=_CANDIDATES)  # [P, K]
    corners = mesh.positions[mesh.faces[near]]  # [P, K, 3, 3]
    weights = _barycentric(corners, some[:, None])
    at = (corners * weights[..., None]).sum(-2)
    apart = np.linalg.norm(at - some[:, None], axis=-1)
    best = apart.argmin(1)
    row = np.arange(len(some))
    made.append((near[row, best], weights[row, best], apart[row, best]))
  return tuple(np.concatenate(parts) for parts in zip(*made, strict=True))


def _laplacian(faces, num):
  ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
  ends = np.concatenate([ends, ends[:, ::-1]])
  links = scipy.sparse.csr_matrix(
    (np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(num, num)
  )
  links.data[:] = 1
  degree = np.asarray(links.sum(1)).ravel()
  return scipy.sparse.diags(degree) - links


def fit(positions, faces, points, target: Surface, target_points) -> np.ndarray:
  """Lays a mesh on another surface.

  Args:
    positions: float [V, 3], aligned already.
    faces: int [F, 3].
    points: int [68], vertices.
    target: the other surface.
    target_points: float [68, 3].

  Returns:
    float32 [V, 3], where each vertex lies on the target.
  """
  bend = scipy.interpolate.RBFInterpolator(
    positions[points],
    target_points - positions[points],
    kernel='linear',
    degree=0,
    smoothing=0.05,
  )
  at = positions + bend(positions)
  laplacian = _laplacian(faces, len(positions))
  rough = laplacian.T @ laplacian
  for stiffness in _STIFFNESS:
    triangle, weights, apart = closest(target, at)
    corners = target.positions[target.faces[triangle]]
    goal = (corners * weights[..., None]).sum(1)
    normals = meshes.vertex_normals(at, faces)
    facing = (normals * target.normals[triangle]).sum(-1)
    trust = ((facing > 0.4) & (apart < _FAR)).astype(float)
    goal[points], trust[points] = target_points, 10.0
    system = scipy.sparse.diags(trust + 1e-3) + stiffness * rough
    solve = scipy.sparse.linalg.splu(
      system.tocsc(),
      'MMD_AT_PLUS_A',  # symmetric and positive definite
      diag_pivot_thresh=0.0,
      options={'SymmetricMode': True},
    ).solve
    at = at + solve(trust[:, None] * (goal - at))
  return at.astype(np.float32)


def attach(
  positions: np.ndarray, places: np.ndarray
) -> scipy.sparse.csr_matrix:
  """How far points follow the vertices near them: sparse [P, V], rows sum to 1.

  Points further away follow a wider neighbourhood.
  """
  apart, near = cKDTree(positions).query(places, k=_NEIGHBOURS)
  first = apart[:, :1]
  reach = 0.15 + 0.5 * first
  weights = np.exp(-0.5 * (np.square(apart) - np.square(first)) / reach**2)
  weights /= weights.sum(1, keepdims=True)
  rows = np.repeat(np.arange(len(places)), _NEIGHBOURS)
  return scipy.sparse.csr_matrix(
    (weights.ravel().astype(np.float32), (rows, near.ravel())),
    shape=(len(places), len(positions)),
  )
