"""The programs of every kind of experiment are traced and counted."""

import jax
import jax.numpy as jnp
import pytest

from flaxheads import programs
from flaxheads.errors import UserError
from flaxheads.models import pretrained
from flaxheads.training import cost, parallel
from tests import tiny_bilayer, tiny_game
from tests.baselines import tools


@pytest.fixture(scope='module')
def mesh():
  return parallel.make_mesh(1)


def _flops(program, mesh):
  return cost.count_flops(program.function, program.arguments, mesh)


def _configs():
  return tiny_game.make_config(), tiny_bilayer.make_config()


@pytest.mark.parametrize('config', _configs(), ids=('model', 'bilayer'))
def test_four_photographs_cost_four_times_as_much_as_one(config, mesh):
  alone = programs.embed_program(config, mesh, 1)
  four = programs.embed_program(config, mesh, 4)
  assert _flops(four, mesh) == pytest.approx(4 * _flops(alone, mesh), rel=0.02)
  assert four.samples == 4 * alone.samples
  assert cost.bytes_per_device(four.state) == cost.bytes_per_device(alone.state)


@pytest.mark.parametrize('config', _configs(), ids=('model', 'bilayer'))
def test_a_batch_of_a_video_is_that_many_frames(config, mesh):
  program = programs.animate_program(config, mesh)
  made = jax.tree.leaves(jax.eval_shape(program.function, *program.arguments))
  assert {len(leaf) for leaf in made} == {program.samples}


def test_a_content_network_without_a_file_is_counted(mesh):
  config = tools.make_pix2pixhd(batch_size=1)
  program = programs.step_program(config, mesh)
  network = pretrained.make_network('vgg19')
  frames = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
  params = pretrained.shapes_of('vgg19')
  forward = cost.count_flops(
    jax.jit(lambda p, x: network.apply({'params': p}, x)),
    (params, frames),
    mesh,
  )
  # Frames pass once without a gradient, generated ones forward and backward,
  # and without a gradient of the parameters.
  assert _flops(program, mesh) > 3 * forward
  assert not config.perceptual.vgg19


def test_programs_that_an_experiment_lacks_are_refused(mesh):
  refused = [
    (tools.PIX2PIXHD, 'animate'),
    (tools.X2FACE, 'finetune'),
    (tiny_bilayer.make_config(), 'finetune'),
  ]
  for config, name in refused:
    with pytest.raises(UserError, match=f'--program={name}: not for'):
      programs.describe_on(config, mesh, name)
  with pytest.raises(UserError, match='--program: .* is not one of step, '):
    programs.describe_on(tools.X2FACE, mesh, 'train')
  with pytest.raises(UserError, match='one device'):
    programs.describe_on(
      tiny_game.make_config(), parallel.make_mesh(2), 'animate'
    )
