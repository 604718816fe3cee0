"""Meta-training of E, G and D (Zakharov et al. 2019) as the loop runs it."""

import functools

from flaxheads import networks as nets
from flaxheads.config import Config
from flaxheads.training import preview
from flaxheads.training.content_loss import build_content
from flaxheads.training.recipe import Recipe
from flaxheads.training.state import centre, create_state, describe_state
from flaxheads.training.step import make_train_step


def make_recipe(config: Config) -> Recipe:
  """What `loop.train` needs beside the config.

  Raises:
    UserError: the file of a content network cannot be used.
  """
  networks = nets.build_networks(config.model)
  content = build_content(config)
  begin = {}
  if not config.identity_table.initial_size:
    begin['begin'] = functools.partial(centre, networks)
  return Recipe(
    constants=content.params,
    describe_state=functools.partial(describe_state, config, networks),
    create_state=functools.partial(create_state, config, networks),
    make_step=functools.partial(make_train_step, config, networks, content),
    make_preview=functools.partial(preview.make_model_preview, networks),
    shown={'content': 'generator/content', 'hinge': 'discriminator/hinge'},
    **begin,
  )
