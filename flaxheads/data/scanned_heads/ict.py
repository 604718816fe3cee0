"""ICT-FaceKit's head: identity modes of scans, expressions, teeth, its skin.

Li et al. 2020, "Learning Formation of Physically-Based Face Attributes". Its
mesh is laid on MakeHuman's average head once, so that MakeHuman's photographic
skins, hair, brows, lashes and patterns of place fit it; see correspondence.py.
"""

import functools
from typing import NamedTuple

import numpy as np
import scipy.interpolate
import scipy.sparse.csgraph

from flaxheads.data.scanned_heads import correspondence, makehuman, meshes
from flaxheads.data.scanned_heads.assets import ICT_FILE, Assets
from flaxheads.data.scanned_heads.points import VERTICES as MAKEHUMAN_POINTS

# Vertices, as ICT-FaceKit's documentation lists them.
_SKIN = slice(0, 11248)  # face, head and neck
_INSIDE = {
  'socket': slice(11248, 13294),  # the mouth's walls
  'gum': slice(14062, 17039),  # and tongue
  'enamel': slice(17039, 21451),
}
_LASHES = slice(25351, 26719)
_STRIPS = {'upper': 2, 'lower': 1}  # of three, one above the other
_EYEBALLS = (slice(23021, 24591), slice(21451, 23021))  # image left, right
# Vertices of the 68 points, in the order of layout.py.
POINTS = np.array(
  # jaw
  [1225, 1888, 1052, 367, 1719, 1722, 2199, 1447, 966, 3661, 4390, 3927]
  + [3924, 2608, 3272, 4088, 3443]
  # brows
  + [268, 493, 1914, 2044, 1401, 3615, 4240, 4114, 2734, 2509]
  # nose
  + [978, 4527, 4942, 4857, 1140, 2075, 1147, 4269, 3360]
  # eyes
  + [1507, 1542, 1537, 1528, 1518, 1511, 3742, 3751, 3756, 3721, 3725, 3732]
  # lips
  + [5708, 5695, 2081, 0, 4275, 6200, 6213, 6346, 6461, 5518, 5957, 5841]
  # inner lips
  + [5702, 5711, 5533, 6216, 6207, 6470, 5517, 5966]
)
_INCISORS = 14.0  # cm, z of MakeHuman's incisors; the shader's depth of a mouth
_MAP_SIDE = 768


class Part(NamedTuple):
  """Some of the mesh: vertices, its triangles of them, texture coordinates."""

  vertices: slice
  faces: np.ndarray
  welded: meshes.Unwelded


class Template(NamedTuple):
  """What all of ICT-FaceKit's heads share, cm from between the eyes.

  Attributes:
    rest: float32 [V, 3] the mean head.
    modes: float32 [100, V, 3], a standard deviation each.
    units: float32 [U, V, 3] in the order of makehuman.Template.unit_names.
    place: float32 [V, 3] where vertices lie on MakeHuman's average head.
    skin: the Part of the skin; its texture coordinates are within 0 and 1.
    inside: Parts of the mouth by name.
    lashes: the Part of the lashes: strips along the lids, u along the lid and
      v from root to tip.
  """

  rest: np.ndarray
  modes: np.ndarray
  units: np.ndarray
  place: np.ndarray
  skin: Part
  inside: dict
  lashes: Part


def _part(vertices, triangles, uvs):
  kept = triangles[
    (triangles[..., 0] >= vertices.start).all(1)
    & (triangles[..., 0] < vertices.stop).all(1)
  ]
  faces = kept[..., 0] - vertices.start
  return Part(vertices, faces, meshes.unweld(faces, kept[..., 1], uvs))


def _lashes(positions, triangles, uvs):
  part = _part(_LASHES, triangles, uvs)
  welded, at = part.welded, positions[_LASHES]
  faces = welded.triangles
  num = len(welded.source)
  links = scipy.sparse.coo_matrix(
    (np.ones(faces.size), (faces.ravel(), np.roll(faces, 1, 1).ravel())),
    shape=(num, num),
  )
  count, strip = scipy.sparse.csgraph.connected_components(links, False)
  uvs, kept = welded.uvs.copy(), np.zeros(num, bool)
  seen = {}
  for k in range(count):
    own = strip == k
    low, high = uvs[own].min(0), uvs[own].max(0)
    uvs[own] = (uvs[own] - low) / (high - low)
    tips, roots = (
      at[welded.source[own & some]].mean(0)
      for some in (uvs[:, 1] > 0.9, uvs[:, 1] < 0.1)
    )
    if tips[2] < roots[2]:  # tips are in front of their roots
      uvs[own, 1] = 1 - uvs[own, 1]
      tips, roots = roots, tips
    lid = 'upper' if tips[1] > roots[1] else 'lower'
    side = f'{lid} {np.sign(tips[0])}'
    seen[side] = seen.get(side, 0) + 1
    kept[own] = seen[side] <= _STRIPS[lid]
    if lid == 'lower':  # shorter
      uvs[own, 1] = np.minimum(1.7 * uvs[own, 1], 0.99)
  uvs[:, 1] = uvs[:, 1].clip(0.01, 0.99)  # textures repeat
  chosen = kept[faces].all(1)
  welded = welded._replace(uvs=uvs, triangles=faces[chosen])
  return part._replace(faces=part.faces[chosen], welded=welded)


def _units(names, expressions, unit_names):
  """ARKit's units: a unit without a side is the sum of ICT's two halves."""
  made = np.zeros((len(unit_names), *expressions.shape[1:]), np.float32)
  for row, name in zip(made, unit_names, strict=True):
    name = name.replace('Left', '_L').replace('Right', '_R')
    if name in ('jaw_L', 'jaw_R', 'mouth_L', 'mouth_R'):
      name = name.replace('_L', 'Left').replace('_R', 'Right')
    for own in {name, f'{name}_L', f'{name}_R'} & set(names):
      row += expressions[names.index(own)]
  return made


@functools.cache
def body(assets: Assets):
  """MakeHuman's average skin: (vertices of the base mesh, Surface)."""
  template = makehuman.load(assets)
  reference = makehuman.reference(template)
  ids, faces = np.unique(template.skin.source, return_inverse=True)
  return ids, correspondence.surface(
    reference[ids], faces[template.skin.triangles]
  )


@functools.cache
def load(assets: Assets) -> Template:
  """Reads ICT-FaceKit and lays it on MakeHuman's head; some seconds, once."""
  data = assets.arrays(ICT_FILE)
  unit_names = makehuman.load(assets).unit_names
  triangles, uvs = data['triangles'], data['texture_coordinates'].copy()
  uvs[:, 0] /= 2  # face and back of the head are tiles side by side
  skin = _part(_SKIN, triangles, uvs)
  ids, surface = body(assets)
  goal = surface.positions[np.searchsorted(ids, MAKEHUMAN_POINTS)]
  positions = data['vertices'].astype(np.float64)
  similar = correspondence.align(positions[POINTS], goal)
  rest = similar(positions)
  eyes = np.stack([rest[some].mean(0) for some in _EYEBALLS])
  # Eyes level with the origin, as MakeHuman's people have them.
  rest -= np.float32([eyes[:, 0].mean(), eyes[:, 1].mean(), 0])
  place = rest.copy()
  place[_SKIN] = correspondence.fit(
    rest[_SKIN].astype(np.float64), skin.faces, POINTS, surface, goal
  )
  teeth = rest[_INSIDE['enamel']]
  place[_SKIN.stop :, 2] += _INCISORS - teeth[:, 2].max()

  def offsets(name):
    return similar.turn(data[name].astype(np.float32))

  names = [str(name) for name in data['expression_names']]
  return Template(
    rest=rest,
    modes=offsets('identities'),
    units=_units(names, offsets('expressions'), unit_names),
    place=place,
    skin=skin,
    inside={
      name: _part(vertices, triangles, uvs * 0)
      for name, vertices in _INSIDE.items()
    },
    lashes=_lashes(rest, triangles, uvs),
  )


def shape(template: Template, weights: np.ndarray) -> np.ndarray:
  """A person at rest, float32 [V, 3], from weights [100] of the modes."""
  made = template.rest + np.tensordot(
    weights.astype(np.float32), template.modes, 1
  )
  eyes = np.stack([made[some].mean(0) for some in _EYEBALLS]).mean(0)
  return made - np.float32([eyes[0], eyes[1], 0])


def eyeballs(positions: np.ndarray) -> np.ndarray:
  """Centres and radii of the eyeballs, float [2, 4]; the cornea left out."""
  made = []
  for some in _EYEBALLS:
    low, high = positions[some].min(0), positions[some].max(0)
    radius = (high[:2] - low[:2]).mean() / 2
    made.append([*(low[:2] + high[:2]) / 2, low[2] + radius, radius])
  return np.array(made)


@functools.cache
def skin_map(assets: Assets) -> np.ndarray:
  """MakeHuman's texture coordinates at each texel of ICT's skin.

  Returns:
    float32 [N, N, 2]; row 0 is v = 1, as in the images.
  """
  template = load(assets)
  welded = template.skin.welded
  place = template.place[_SKIN][welded.source]
  texel = (np.arange(_MAP_SIDE) + 0.5) / _MAP_SIDE
  u, v = np.meshgrid(texel, 1 - texel)
  lie = scipy.interpolate.LinearNDInterpolator(welded.uvs, place)(u, v)
  lie = lie.reshape(-1, 3)
  known = np.isfinite(lie[:, 0])
  base = makehuman.load(assets).skin
  corners = base.uvs[base.triangles]  # [F, 3, 2]
  _, surface = body(assets)
  triangle, weights, _ = correspondence.closest(surface, lie[known])
  made = np.zeros((len(lie), 2), np.float32)
  made[known] = (corners[triangle] * weights[..., None]).sum(1)
  return made.reshape(_MAP_SIDE, _MAP_SIDE, 2)
