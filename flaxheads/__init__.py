"""Few-shot talking heads (Zakharov et al. 2019) in JAX and Flax.

From a few pictures of a person to a video that moves as another one does:

  import flaxheads
  import numpy as np

  model = flaxheads.load_model()  # the shipped one; or a model folder
  size = model.config.image_size
  support = flaxheads.load_support('photos/', size, num_shots=8)
  person = flaxheads.finetune(model, support.frames, support.points)
  flaxheads.save_person('people/me', person)

  driver = flaxheads.load_driver('clip.mp4', size)
  # Another person's motion on this one's face shape; leave out for one's own.
  points = flaxheads.retarget(person.support_points, driver.points, size)
  frames = flaxheads.animate(person, points)  # uint8 [F, S, S, 3]
  marks = flaxheads.default_marks(person.info.get('model_sha256', ''))
  stamp = flaxheads.Stamp(marks)  # watermark; seal signs
  with flaxheads.VideoWriter('me.mp4', driver.fps, seal=marks.seal) as writer:
    for frame in np.asarray(stamp(frames)):
      writer.write(frame)

`feed_forward` stands in for `finetune` where seconds count, and an `examiner`
of `make_examiner` lets landmarks and identity have a say in which step of it is
kept, as `launch.finetune` does it. Mistakes in files and numbers raise
`UserError`, a ValueError whose message is one line. The names below are the
public interface; each is imported when it is first used, so that `import
flaxheads` costs nothing.
"""

import importlib

_HOMES = {
  'flaxheads.config': (
    'Config',
    'FinetuneConfig',
    'ModelConfig',
  ),
  'flaxheads.data.driver': ('Driver', 'load_driver'),
  'flaxheads.data.support': ('Support', 'load_support'),
  'flaxheads.data.video': ('VideoWriter',),
  'flaxheads.errors': ('UserError',),
  'flaxheads.fewshot': (
    'Examiner',
    'Model',
    'Person',
    'Progress',
    'animate',
    'animate_batches',
    'feed_forward',
    'finetune',
    'load_model',
    'load_person',
    'make_examiner',
    'save_model',
    'save_person',
  ),
  'flaxheads.landmarks.retarget': ('retarget',),
  'flaxheads.provenance.marks': (
    'Marks',
    'Stamp',
    'default_marks',
  ),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str):
  if name not in _HOME:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  value = getattr(importlib.import_module(_HOME[name]), name)
  globals()[name] = value  # the next use finds it at once
  return value


def __dir__() -> list[str]:
  return sorted({*globals(), *__all__})
