"""MakeHuman's people: sampled sliders, sculpted morphs, worn meshes."""

import numpy as np

from flaxheads.data.scanned_heads import figure as figures
from flaxheads.data.scanned_heads import identity, makehuman, meshes, wear
from flaxheads.data.scanned_heads.assets import Assets
from flaxheads.data.scanned_heads.identity import Person
from flaxheads.data.scanned_heads.points import VERTICES

JOINTS = {'neck': slice(14534, 14542), 'head': slice(14070, 14078)}
_UPPER_LIP = VERTICES[62]  # the middle of its lower edge
_TONGUE_LOW, _TONGUE_BACK = 0.25, 0.3  # cm, as a tongue lies in speech


def unit_names(assets: Assets) -> tuple:
  """Names of the face units, as Figure.units has them."""
  return makehuman.load(assets).unit_names


def sample(assets: Assets, seed: int, index: int) -> Person:
  """Samples a person; see identity.sample_person."""
  template = makehuman.load(assets)
  names = [name for name, *_ in makehuman.sliders(template.morph_names)]
  return identity.sample_person(seed, index, names)


def _weights(person, template) -> dict:
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


def _teeth_drop(parts, person, lip, names):
  """Cm by which MakeHuman's teeth, which sit high, have to come down."""
  rest = parts.rest[-1]
  with_jaw = np.linalg.norm(parts.units[-1][names.index('jawOpen')], axis=1)
  upper = rest[(with_jaw < 0.5) & (np.abs(rest[:, 0] - lip[0]) < 1)]
  incisors = upper[upper[:, 2] > upper[:, 2].max() - 0.6]
  return incisors[:, 1].min() - (lip[1] - person.teeth_shown)


def eyes_of(template, base) -> np.ndarray:
  """Centres and radii of the eyeballs: float [2, 4]."""
  made = []
  for vertices in template.eye_vertices:
    ball = base[vertices]
    centre = (ball.min(0) + ball.max(0)) / 2
    radius = np.linalg.norm(ball - centre, axis=-1).mean() * 0.985
    made.append([*centre, radius])
  return np.array(made)


def build(assets: Assets, person: Person) -> figures.Figure:
  """Makes a person's meshes; takes about 0.2 s."""
  template = makehuman.load(assets)
  shape = makehuman.shape(template, _weights(person, template))
  base = makehuman.centred(shape, template)
  reference = makehuman.reference(template)
  cm_units = template.units * np.float32(meshes.CM)
  parts = figures.Parts(len(cm_units))

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
  parts.layers.extend(figures.Layer(kind, some) for kind, some in fur)

  eyes = eyes_of(template, base)
  for eye in eyes:
    parts.add('eye', *wear.eyeball(eye[:3], eye[3]), person.iris)

  def worn(kind, folder, name, texture, moving=True):
    mesh = figures.read_worn(assets, folder, name)
    scale = meshes.scale_of(mesh.fit, shape) * meshes.CM
    rest = meshes.wear(mesh.fit, base, scale)
    nothing = np.zeros(3, np.float32)
    units = meshes.wear(mesh.fit, cm_units, nothing) if moving else None
    place = meshes.wear(mesh.fit, reference, np.full(3, meshes.CM, np.float32))
    parts.add(kind, rest, mesh.faces, mesh.welded, texture, units, place)

  teeth = f'teeth_shape{person.teeth:02d}' if person.teeth else 'teeth_base'
  worn('teeth', 'teeth', teeth, 'teeth/materials/teeth')
  down = _teeth_drop(parts, person, base[_UPPER_LIP], template.unit_names)
  parts.rest[-1][:, 1] -= down
  worn('tongue', 'tongue', 'tongue01', 'tongue/tongue01/tongue01_diffuse')
  parts.rest[-1] -= np.float32([0, down + _TONGUE_LOW, _TONGUE_BACK])
  lashes = f'eyelashes{person.lashes:02d}'
  worn('lash', 'eyelashes', lashes, f'eyelashes/{lashes}/{lashes}')
  chest = (base[ids], reference[ids], faces)
  figures.dress(parts, person, worn, eyes, base[ids], chest)

  pivot = (base[JOINTS['neck']].mean(0) + base[JOINTS['head']].mean(0)) / 2
  landmarks = np.searchsorted(ids, VERTICES)
  return figures.assemble(parts, eyes, pivot, landmarks, len(ids))
