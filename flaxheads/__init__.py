"""Few-shot talking heads (Zakharov et al. 2019) in JAX and Flax.

Makes a video from photographs of a person, who moves as somebody else does:

  import flaxheads

  person = flaxheads.make_person('photos/', confirm_rights=True)
  flaxheads.save_person('people/me', person)
  flaxheads.render_video(person, 'clip.mp4', 'me.mp4')

With `'speech.wav'` instead of the clip, the person speaks.
`confirm_rights=True` states that you may animate the person. The person starts
from the pose of the photograph and moves as the driver moves from its rest. The
video has the driver's sound, a watermark and a signature that mark it as
synthetic, and a report beside it.

A `model` of the paper's generator is fine-tuned on the photographs instead. For
your own programs, the single steps are:

  model = flaxheads.load_model('models/mine')
  support = flaxheads.load_support('photos/', model.config.image_size)
  person = flaxheads.feed_forward(model, support.frames, support.points)
  driver = flaxheads.load_driver('clip.mp4', person.image_size)
  move = flaxheads.RelativeMotion(
    person.support_points, person.points, driver.points
  )
  points = move(driver.points)
  frames = flaxheads.animate(person, points)  # uint8 [F, S, S, 3], unmarked

User errors raise `UserError`, a ValueError with a message of one line. The
names below are the public interface; each is imported when it is first used.
"""

from flaxheads import xla_flags
from flaxheads.lazy_exports import attach

xla_flags.set_defaults()

__version__ = '0.1.0'
__getattr__, __dir__, __all__ = attach(
  __name__,
  {
    'flaxheads.api': ('make_person', 'render_folder', 'render_video'),
    'flaxheads.config': ('Config', 'FinetuneConfig', 'ModelConfig'),
    'flaxheads.data.driver': ('Driver',),
    'flaxheads.data.support': ('Support', 'load_support'),
    'flaxheads.data.video_writer': ('VideoWriter',),
    'flaxheads.errors': ('UserError',),
    'flaxheads.fewshot': (
      'Model',
      'Person',
      'Progress',
      'Validator',
      'animate',
      'animate_batches',
      'feed_forward',
      'finetune',
      'load_model',
      'load_person',
      'make_validator',
      'save_model',
      'save_person',
    ),
    'flaxheads.fewshot.animation_job': ('RenderOptions',),
    'flaxheads.landmarks.relative_motion': ('RelativeMotion',),
    'flaxheads.landmarks.retarget': ('retarget',),
    'flaxheads.provenance.marks': ('Marks', 'default_marks'),
    'flaxheads.provenance.stamp': ('Stamp',),
    'flaxheads.speech.driver': ('load_driver',),
  },
)
