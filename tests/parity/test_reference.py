"""Reference implementation against ours: same weights and batch, a whole step.

Both run in float64, where every leaf must agree, and in float32. There outputs
and losses must agree; gradients and parameters are compared with those of
float64, because of their kinks: where rounding puts one value of a ReLU or of
an L1 on the other side, a whole pixel's gradient comes or goes, and a leaf that
sums 30,000 of them moves by a part in 200. Every leaf must be within a
hundredth of float64's, and half of the leaves within three times the
reference's own distance from them.

Adam's first moment is the gradient itself where b1 = 0, so that a step's state
holds the gradients it came from; its epsilon is 1 here, because a small one
turns the rounding of a gradient near zero into a whole move.
"""

import functools

import jax
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from flaxheads import networks as nets
from flaxheads.fewshot import finetune_step
from flaxheads.fewshot.direct import without_projection
from flaxheads.models import spectral
from flaxheads.training import parallel
from flaxheads.training import step as step_module
from flaxheads.training.content_loss import perceptual_content, pyramid_content
from flaxheads.training.model_inputs import prepare_inputs
from flaxheads.training.state import create_state
from flaxheads.training.step import make_train_step
from tests.parity.agreement import (
  WANTED,
  check,
  check_nearness,
  check_terms,
  nearness,
)
from tests.parity.experiment import (
  SIZE,
  VIDEOS,
  finetuning_step,
  in_float64,
  make_config,
  make_vggs,
  random_batch,
  random_params,
  random_rows,
  vectors_of,
)
from tests.tiny_game import as_float64

torch = pytest.importorskip('torch', reason='make parity installs PyTorch')

from tests.benchmark.reference import training, weights  # noqa: E402
from tests.benchmark.reference.networks import advance, fold  # noqa: E402

VARIANTS = {
  'as written': training.Options(),
  'two passes, channels last': training.Options(False, True),
}


@pytest.fixture(params=WANTED)
def dtype(request):
  """The precision of everything."""
  with jax.enable_x64(request.param == 'float64'):
    yield request.param


@pytest.fixture(params=['pyramid', 'vggs'])
def content_pair(request, dtype):
  """Our content loss, and the reference's networks for it."""
  config = make_config(dtype)
  if request.param == 'pyramid':
    return pyramid_content(config.loss), {}
  ours, params, references = make_vggs(dtype), {}, {}
  for key, (name, network) in enumerate(ours.items()):
    image = np.zeros((1, 32, 32, 3), dtype)
    made = jax.jit(network.init)(jax.random.key(key), image)['params']
    params[name] = jax.tree.map(lambda leaf: leaf.astype(dtype), made)
    references[name] = weights.build_vgg(
      network.depths, network.convention, params[name]
    )
  return perceptual_content(params, config.loss, ours), references


def channels_first(frames, dtype):
  return torch.from_numpy(np.moveaxis(np.array(frames, dtype), -1, -3))


def test_the_networks_draw_and_score_the_same(dtype):
  config = make_config(dtype)
  networks = nets.build_networks(config.model)
  params = random_params(networks)
  vectors = vectors_of(params)
  normal = {
    name: spectral.normalize(
      params[name], spectral.power_iteration(params[name], vectors[name])
    )
    for name in params
  }
  reference = {
    name: weights.build(name, config.model, params[name], vectors[name])
    for name in params
  }
  advance(*reference.values())
  rng = np.random.default_rng(2)
  frames, pictures = rng.uniform(-1, 1, (2, 2, SIZE, SIZE, 3)).astype(dtype)
  x, y = channels_first(frames, dtype), channels_first(pictures, dtype)
  embedding = networks.embedder.apply(
    {'params': normal['embedder']}, frames, pictures
  )
  psi = nets.project(normal['generator'], embedding)
  drawn = nets.generate(networks, normal['generator'], pictures, psi)
  score, features, *_ = nets.discriminate(
    networks, normal['discriminator'], frames, pictures, embedding
  )
  with torch.no_grad():
    theirs = reference['embedder'](x, y)
    their_frames = reference['generator'](y, embedding=theirs)
    folded = fold(reference['generator'])(y, torch.from_numpy(np.array(psi)))
    their_score, their_features = reference['discriminator'](x, y, theirs)
  named = {
    'embedding': (embedding, theirs.numpy()),
    'frames': (drawn, their_frames.permute(0, 2, 3, 1).numpy()),
    'frames of a person': (drawn, folded.permute(0, 2, 3, 1).numpy()),
    'score': (score, their_score.numpy()),
    **{
      f'features {i}': (a, b.permute(0, 2, 3, 1).numpy())
      for i, (a, b) in enumerate(zip(features, their_features, strict=True))
    },
  }
  for name, (a, b) in named.items():
    check(name, {name: a}, {name: b}, WANTED[dtype])


def test_a_step_of_meta_training(content_pair, dtype, monkeypatch):
  config = make_config(dtype)
  content, vggs = content_pair
  networks, mesh = nets.build_networks(config.model), parallel.make_mesh(1)
  state = create_state(config, networks, VIDEOS, mesh)
  params = random_params(networks)
  # Scores near 0, where the hinge of x, too, has a gradient: W learns from it.
  params['discriminator']['b'] -= 15.5
  state = state.replace(
    params=params,
    spectral=vectors_of(params),
    table=state.table.replace(rows=random_rows(state.table.rows)),
  )
  old = jax.tree.map(np.array, state)
  batch = random_batch(config)
  placed = parallel.place(batch, mesh, parallel.SHARDED)
  sample = parallel.pmap(
    functools.partial(prepare_inputs, key=jax.random.key(0), config=config),
    mesh,
    in_specs=(parallel.SHARDED,),
    out_specs=parallel.SHARDED,
  )(placed)
  # Drawn once: another program rounds its float32 images otherwise.
  sample = jax.tree.map(np.asarray, sample)
  monkeypatch.setattr(step_module, 'prepare_inputs', lambda *_: sample)
  step = make_train_step(config, networks, content, mesh)
  new, metrics = step(state, placed, content.params)
  exact = new
  if dtype == 'float32':
    with jax.enable_x64(True):
      exact = _exact_step(old, sample, batch, content, mesh, monkeypatch)

  for name, options in VARIANTS.items():
    print(name)
    _check_meta_training(
      config, vggs, options, old, new, metrics, sample, batch, exact
    )


def _gradients(state):
  return {
    **state.generator_optimizer.mu,
    'discriminator': state.discriminator_optimizer.mu,
  }


def _exact_step(old, sample, batch, content, mesh, monkeypatch):
  config, content = make_config('float64'), in_float64(content)
  monkeypatch.setattr(
    step_module, 'prepare_inputs', lambda *_: as_float64(sample)
  )
  networks = nets.build_networks(config.model)
  step = make_train_step(config, networks, content, mesh)
  new, _ = step(as_float64(old), batch, content.params)
  return jax.tree.map(np.asarray, new)


def _check_meta_training(
  config, vggs, options, old, new, metrics, sample, batch, exact
):
  dtype = config.model.dtype
  reference = training.MetaTraining(
    config,
    *(
      weights.build(name, config.model, old.params[name], old.spectral[name])
      for name in nets.NETWORKS
    ),
    torch.from_numpy(old.table.rows),
    vggs,
    options,
  )
  terms = reference.step(
    training.Batch(
      *(channels_first(part, dtype) for part in sample[:4]),
      torch.from_numpy(batch.video_index),
    )
  )
  check_terms(
    {**metrics.generator._asdict(), 'hinge': metrics.discriminator.hinge},
    terms,
    dtype,
  )
  assert np.all(np.any(new.table.second_moment[np.array([1, 4])], 1))

  def compare(what, ours, theirs, exact):
    check_nearness(nearness(what, ours, theirs, dtype, exact))

  moments, exact_moments = _gradients(new), _gradients(exact)
  for name, network in zip(nets.NETWORKS, reference.networks, strict=True):
    like = old.params[name]
    theirs = weights.gradients(network, name, config.model, like)
    compare(f'gradient of {name}', moments[name], theirs, exact_moments[name])
    theirs = weights.values(network, name, config.model, like)
    compare(f'{name} after it', new.params[name], theirs, exact.params[name])
  compare(
    'W and its moments',
    _table_arrays(new.table),
    {
      'rows': reference.table.rows.numpy(),
      'second': reference.table.second.numpy(),
      'visits': reference.table.visits.numpy(),
    },
    _table_arrays(exact.table),
  )


def _table_arrays(table):
  return {
    'rows': table.rows,
    'second': table.second_moment,
    'visits': table.last_visit[:, None],
  }


def test_a_step_of_fine_tuning(content_pair, dtype):
  config = make_config(dtype)
  content, vggs = content_pair
  networks = nets.build_networks(config.model)
  params = random_params(networks)
  vectors = vectors_of(params)
  step = finetuning_step(config, content)
  with jax.enable_x64(True):
    exact_step = finetuning_step(make_config('float64'), in_float64(content))
  found = []
  for seed in (3,) if dtype == 'float64' else (3, 4, 5):
    rng = np.random.default_rng(seed)
    frames, pictures = rng.uniform(-1, 1, (2, 4, SIZE, SIZE, 3)).astype(dtype)
    psi = rng.normal(size=networks.generator.num_adain_params).astype(dtype)
    embedding = rng.normal(size=config.model.embedding_size).astype(dtype)
    rows = np.array(params['discriminator']['w0']) + embedding
    state = finetune_step.start_state(config, params, vectors, embedding, psi)
    new, metrics = step(state, frames, pictures)
    exact = new
    if dtype == 'float32':
      with jax.enable_x64(True):
        exact, _ = exact_step(*as_float64((state, frames, pictures)))
        exact = jax.tree.map(np.asarray, exact)
    given = (params, vectors, psi, rows, frames, pictures)
    for name, options in VARIANTS.items():
      print(f'{name}, frames of seed {seed}')
      found.append(
        _check_fine_tuning(config, vggs, options, given, new, metrics, exact)
      )
  for one in np.moveaxis(found, 1, 0):  # G, D: [seeds and variants, 2]
    check_nearness(one)


def _moments(state):
  """Adam's first moments of G and of D, which are one vector each, as trees."""
  return tuple(
    ravel_pytree(params)[1](optimizer_state.mu)
    for params, optimizer_state in (
      (state.generator, state.generator_optimizer),
      (state.discriminator, state.discriminator_optimizer),
    )
  )


def _check_fine_tuning(config, vggs, options, given, new, metrics, exact):
  dtype, (params, vectors, psi, rows, frames, pictures) = (
    config.model.dtype,
    given,
  )
  reference = training.Finetuning(
    config,
    *(
      weights.build(name, config.model, params[name], vectors[name])
      for name in ('generator', 'discriminator')
    ),
    torch.from_numpy(psi),
    torch.from_numpy(rows),
    vggs,
    options,
  )
  terms = reference.step(
    channels_first(frames, dtype), channels_first(pictures, dtype)
  )
  ours = metrics._asdict()
  ours.pop('match')  # zero: the embedding is fixed
  check_terms(ours, terms, dtype)
  like = without_projection(params['generator'])
  theirs = {
    'adain_params': reference.adain_params.grad.numpy(),
    'generator': weights.gradients(
      reference.networks[0], 'generator', config.model, like
    ),
  }
  (ours_g, ours_d), (exact_g, exact_d) = _moments(new), _moments(exact)
  found = [nearness('gradient of G', ours_g, theirs, dtype, exact_g)]
  theirs = {
    'rows': reference.rows.grad.numpy(),
    'params': weights.gradients(
      reference.networks[1],
      'discriminator',
      config.model,
      params['discriminator'],
    ),
  }
  found.append(nearness('gradient of D', ours_d, theirs, dtype, exact_d))
  return found
