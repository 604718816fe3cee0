"""Procedural meshes: eyeballs, clothes, glasses, and where short hair grows."""

import numpy as np

from flaxheads.data.scanned_heads import meshes
from flaxheads.data.scanned_heads.identity import Person
from flaxheads.data.scanned_heads.meshes import Unwelded

_CLOTH_TOP = -11.0  # cm below the eyes; the shader cuts the neckline


def _grid(rows, columns, closed=False):
  """Triangles of a grid of rows x columns vertices: int32 [T, 3]."""
  made = []
  for r in range(rows - 1):
    for c in range(columns if closed else columns - 1):
      a, b = r * columns + c, r * columns + (c + 1) % columns
      d, e = a + columns, b + columns
      made += [(a, d, b), (b, d, e)]
  return np.array(made, np.int32)


def _plain(num, triangles, uvs=None):
  uvs = np.zeros((num, 2), np.float32) if uvs is None else uvs
  return Unwelded(np.arange(num, dtype=np.int32), uvs, triangles)


def eyeball(centre, radius):
  """The front of an eyeball: positions, faces, Unwelded."""
  polar = np.linspace(0.0, 1.75, 15)[:, None]
  turn = np.linspace(0, 2 * np.pi, 28, endpoint=False)[None]
  way = np.stack(
    [
      np.sin(polar) * np.cos(turn),
      np.sin(polar) * np.sin(turn),
      np.cos(polar) + 0 * turn,
    ],
    -1,
  ).reshape(-1, 3)
  faces = _grid(15, 28, closed=True)
  rest = (np.asarray(centre) + radius * way).astype(np.float32)
  return rest, faces, _plain(len(rest), faces)


def cloth(person: Person, skin, place, faces):
  """The chest's skin, moved outwards: positions, faces, Unwelded, ..."""
  height = place[:, 1] + 2.0 * (place[:, 2] > 9.3) * (place[:, 1] > -14)
  kept = faces[(height[faces] < _CLOTH_TOP).all(-1)]
  ids, triangles = np.unique(kept, return_inverse=True)
  triangles = triangles.reshape(-1, 3).astype(np.int32)
  normals = meshes.vertex_normals(skin, faces)[ids]
  thick = {'jacket': 0.9, 'shirt': 0.6, 'high': 0.5}.get(person.cloth[0], 0.35)
  # Looser where it lies on the chest than at the neck.
  loose = 1 + np.clip((-18 - place[ids, 1:2]) / 8, 0, 1.2)
  rest = (skin[ids] + thick * loose * normals).astype(np.float32)
  return rest, triangles, _plain(len(ids), triangles), '', None, place[ids]


def _beard_mask(place, person):
  """Where a beard grows on an average face: float [V], 0 to 1."""
  x, y, z = np.abs(place[:, 0]), place[:, 1], place[:, 2]
  _, _, moustache, cheeks = person.beard
  # Below a line from the ear to the corner of the mouth, above the throat.
  line = -6.6 + 0.55 * np.clip(x - 3.0, 0, 6) + 0.6 * np.clip(x - 2.0, 0, 1)
  jaw = np.clip((line - y) / 1.0, 0, 1)
  jaw *= np.clip((y + 12.2) / 1.5, 0, 1) * np.clip((z - 5.5) / 1.5, 0, 1)
  if not cheeks:
    jaw *= np.clip((3.4 - x) / 0.8, 0, 1)
  lip = np.clip((y + 6.6) / 0.4, 0, 1) * np.clip((-4.5 - y) / 0.7, 0, 1)
  lip *= np.clip((3.5 - x) / 0.8, 0, 1) * moustache
  mouth = ((x / 2.75) ** 2 + ((y + 6.75) / 0.95) ** 2) < 1
  return np.where(mouth, 0, np.maximum(jaw, lip))


def _scalp_mask(place):
  """Where hair grows on an average head: float [V], 0 to 1."""
  x, y, z = np.abs(place[:, 0]), place[:, 1], place[:, 2]
  front = 6.3 + 0.02 * x**2 - 0.9 * np.clip(9.5 - z, 0, 20) * 1.35
  back = -8.5 + 0.0 * x
  line = np.maximum(front, back)
  ear = np.clip((x - 7.0) / 0.5, 0, 1) * (y < 3.5) * (y > -4) * (z > 0)
  return np.clip((y - line) / 1.2, 0, 1) * (1 - ear)


def fur_triangles(person: Person, place, faces, triangles):
  """Triangles of the skin on which short hair is drawn: (material, [T, 3])."""
  made = []
  if person.beard[1] > 0:
    grown = _beard_mask(place, person)[faces].max(-1) > 0
    made.append(('beard', triangles[grown]))
  if person.cropped > 0:
    grown = _scalp_mask(place)[faces].max(-1) > 0
    made.append(('cropped', triangles[grown]))
  return made


def fur_density(person: Person, figure):
  """Of the corners: float32 [W, 2], beard and scalp."""
  place = figure.place
  mask = np.stack([_beard_mask(place, person), _scalp_mask(place)], -1)
  return mask.astype(np.float32)


def _tube(path, radius, closed):
  """A tube of square-ish section along a path [N, 3]."""
  sides = 6
  step = np.roll(path, -1, 0) - np.roll(path, 1, 0)
  if not closed:
    step[0], step[-1] = path[1] - path[0], path[-1] - path[-2]
  step /= np.linalg.norm(step, axis=1, keepdims=True)
  up = np.array([0.0, 0.0, 1.0]) + 1e-3
  first = np.cross(step, up)
  first /= np.linalg.norm(first, axis=1, keepdims=True) + 1e-9
  second = np.cross(first, step)
  turn = np.linspace(0, 2 * np.pi, sides, endpoint=False)
  ring = (
    np.cos(turn)[None, :, None] * first[:, None]
    + np.sin(turn)[None, :, None] * second[:, None]
  )
  points = path[:, None] + radius * ring
  if closed:
    points = np.concatenate([points, points[:1]])
  rows = len(points)
  return points.reshape(-1, 3), _grid(rows, sides, closed=True)


def _join(pieces):
  positions, faces, num = [], [], 0
  for some, triangles in pieces:
    positions.append(some)
    faces.append(triangles + num)
    num += len(some)
  rest = np.concatenate(positions).astype(np.float32)
  faces = np.concatenate(faces).astype(np.int32)
  return rest, faces, _plain(len(rest), faces)


def glasses(person: Person, eyes, skin):
  """Rims, bridge, temples and lenses in front of the eyes.

  Args:
    person: who.
    eyes: float [2, 4] centres and radii of the eyeballs.
    skin: float [V, 3].

  Yields:
    ('rim' or 'lens', (positions, faces, Unwelded)).
  """
  _, roundness, width, height, thick = person.glasses
  middle = eyes[:, :3].mean(0)
  bridge = skin[(np.abs(skin[:, 0]) < 0.6) & (np.abs(skin[:, 1]) < 1.2)]
  z = max(bridge[:, 2].max() - 0.5, eyes[0, 2] + eyes[0, 3] + 1.0)
  turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
  power = 2.0 + 3.0 * (1 - roundness)
  cos, sin = np.cos(turn), np.sin(turn)
  bx = np.sign(cos) * np.abs(cos) ** (2 / power)
  by = np.sign(sin) * np.abs(sin) ** (2 / power)
  half = np.array([2.55 * width, (1.75 + 0.5 * roundness) * height])
  rims, lenses = [], []
  for eye, side in zip(eyes, (-1, 1), strict=True):
    x = 0.55 * eye[0] + 0.45 * side * 3.3 + half[0] * bx
    y = middle[1] - 0.35 + half[1] * by
    bow = z - 0.035 * x**2
    path = np.stack([x, y, bow], -1)
    rims.append(_tube(path, thick, closed=True))
    fan = np.concatenate([path, path.mean(0, keepdims=True)])
    n = len(path)
    disc = np.array([(i, (i + 1) % n, n) for i in range(n)], np.int32)
    lenses.append((fan, disc))
    outer = path[np.argmax(side * x)]
    ear_x = np.abs(
      skin[
        (np.abs(skin[:, 1]) < 1.5) & (skin[:, 2] < 4.5) & (skin[:, 2] > 2.0)
      ][:, 0]
    ).max(initial=7.5)
    end = np.array([side * (ear_x - 0.3), middle[1] + 0.6, 2.5])
    s = np.linspace(0, 1, 8)[:, None]
    temple = outer + s * (end - outer)
    temple[:, 0] += side * 0.5 * np.sin(np.pi * s[:, 0])
    rims.append(_tube(temple, thick * 0.8, closed=False))
  inner = [r[0][:, :] for r in (rims[0], rims[2])]
  a = inner[0][np.argmax(inner[0][:, 0])]
  b = inner[1][np.argmin(inner[1][:, 0])]
  s = np.linspace(0, 1, 7)[:, None]
  arch = a + s * (b - a) + np.sin(np.pi * s) * np.array([0, 0.35, 0.25])
  rims.append(_tube(arch, thick * 0.9, closed=False))
  yield 'rim', _join(rims)
  yield 'lens', _join(lenses)
