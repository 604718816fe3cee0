"""ICT-FaceKit's people: sampled modes of scans, MakeHuman's skins and hair."""

import dataclasses
import functools

import numpy as np

from flaxheads.data.scanned_heads import (
  correspondence,
  ict,
  identity,
  makehuman,
  makehuman_people,
  meshes,
  wear,
)
from flaxheads.data.scanned_heads import figure as figures
from flaxheads.data.scanned_heads.assets import Assets
from flaxheads.data.scanned_heads.identity import Person

_MODES = tuple(f'ict/{number:03d}' for number in range(100))
_LIMIT = 2.2  # standard deviations of a mode
_COVERED = 0.5  # cm; the chest's skin ends where it is as close to the neck's
_CHEST_TOP = -9.0  # cm below the eyes
_MATERIALS = {'socket': 'tongue', 'gum': 'tongue', 'enamel': 'teeth'}


unit_names = makehuman_people.unit_names


def sample(assets: Assets, seed: int, index: int) -> Person:
  """Samples a person: its sliders are the modes, in standard deviations."""
  del assets
  rng = np.random.default_rng([seed, index, 2])
  weights = np.clip(rng.standard_normal(len(_MODES)), -_LIMIT, _LIMIT)
  sliders = dict(zip(_MODES, map(float, weights), strict=True))
  person = identity.sample_person(seed, index, ())
  return dataclasses.replace(person, sliders=sliders)


def _attach(assets, places):
  """How points at these places follow the skin; see correspondence.attach."""
  template = ict.load(assets)
  return correspondence.attach(template.place[template.skin.vertices], places)


@functools.lru_cache(maxsize=64)
def _worn(assets, folder, name):
  """The WornMesh, its places on the average head, and what they follow."""
  template = makehuman.load(assets)
  reference = makehuman.reference(template)
  mesh = figures.read_worn(assets, folder, name)
  place = meshes.wear(mesh.fit, reference, np.full(3, meshes.CM, np.float32))
  return mesh, place, _attach(assets, place)


@functools.cache
def _chest(assets):
  """MakeHuman's skin from the neck down.

  Returns:
    Its vertices' numbers in the base mesh, places, what they follow, faces,
    and for the part that ICT-FaceKit's neck leaves open: the faces' Unwelded,
    and whether a vertex is covered.
  """
  skin = makehuman.load(assets).skin
  ids, surface = ict.body(assets)
  low = (surface.positions[:, 1] < _CHEST_TOP)[surface.faces].all(1)
  used, faces = np.unique(surface.faces[low], return_inverse=True)
  faces = faces.reshape(-1, 3).astype(np.int32)
  place = surface.positions[used].astype(np.float32)
  template = ict.load(assets)
  neck = correspondence.surface(
    template.place[template.skin.vertices], template.skin.faces
  )
  covered = correspondence.closest(neck, place)[2] < _COVERED
  seen = ~covered[faces].all(1)
  corners = skin.triangles[low][seen]
  unique, triangles = np.unique(corners, return_inverse=True)
  welded = meshes.Unwelded(
    np.searchsorted(ids[used], skin.source[unique]).astype(np.int32),
    skin.uvs[unique],
    triangles.reshape(-1, 3).astype(np.int32),
  )
  return ids[used], place, _attach(assets, place), faces, welded, covered


def _chest_of(assets, person, moved):
  """The person's chest: float32 [V, 3], its places, faces, Unwelded."""
  ids, place, follow, faces, welded, covered = _chest(assets)
  template = makehuman.load(assets)
  weights = makehuman.macro_weights(
    person.race, person.masculine, person.age, person.muscle, person.weight
  )
  build = makehuman.centred(makehuman.shape(template, weights), template)
  build = build[ids] - place
  # The person's own build below the neck, which is ICT-FaceKit's.
  own = np.clip((-16.0 - place[:, 1:2]) / 8.0, 0, 1)
  rest = place + follow @ moved + own * build
  return rest.astype(np.float32), place, faces, welded, covered


def build(assets: Assets, person: Person) -> figures.Figure:
  """Makes a person's meshes; takes about 0.2 s."""
  template = ict.load(assets)
  base = ict.shape(template, np.array([person.sliders[m] for m in _MODES]))
  skin = template.skin
  place, units = template.place[skin.vertices], template.units[:, skin.vertices]
  moved = base[skin.vertices] - place
  parts = figures.Parts(len(units))

  def add(kind, part, texture):
    some = part.vertices
    return parts.add(
      kind,
      base[some],
      part.faces,
      part.welded,
      texture,
      template.units[:, some],
      template.place[some],
    )

  triangles = add('skin', skin, f'ict/{person.skin}')
  fur = wear.fur_triangles(person, place, skin.faces, triangles)
  parts.layers.extend(figures.Layer(kind, some) for kind, some in fur)
  chest, chest_place, faces, welded, covered = _chest_of(assets, person, moved)
  under = chest - np.float32([0, 0, 0.15]) * covered[:, None]
  open_faces = welded.source[welded.triangles]
  parts.add('skin', under, open_faces, welded, person.skin, place=chest_place)
  eyes = ict.eyeballs(base)
  for eye in eyes:
    parts.add('eye', *wear.eyeball(eye[:3], eye[3]), person.iris)
  for name, part in template.inside.items():
    add(_MATERIALS[name], part, name)
  add('lash', template.lashes, f'lashes/{person.lashes}')

  def worn(kind, folder, name, texture, moving=True):
    mesh, at, follow = _worn(assets, folder, name)
    moves = None
    if moving:
      moves = np.stack([follow @ unit for unit in units])
    parts.add(
      kind, at + follow @ moved, mesh.faces, mesh.welded, texture, moves, at
    )

  clothed = (chest, chest_place, faces)
  figures.dress(parts, person, worn, eyes, base[skin.vertices], clothed)
  body = makehuman.load(assets)
  reference = makehuman.reference(body)
  joints = [reference[j].mean(0) for j in makehuman_people.JOINTS.values()]
  return figures.assemble(
    parts, eyes, np.mean(joints, 0), ict.POINTS, len(place)
  )
