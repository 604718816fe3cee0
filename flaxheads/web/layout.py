"""The parts of the page and their names, from top to bottom."""

from types import SimpleNamespace

import gradio as gr

from flaxheads.data.kinds import IMAGE_EXTENSIONS, VIDEO_EXTENSIONS
from flaxheads.fewshot.finetuning import num_finetuning_steps
from flaxheads.fewshot.fitting import MOTIONS
from flaxheads.web import texts
from flaxheads.web.handlers import ONLY_FACE
from flaxheads.web.settings import Settings

FILES = sorted(IMAGE_EXTENSIONS | VIDEO_EXTENSIONS)
_USUAL_SHOTS = 8


def _people_list(label: str) -> gr.Dropdown:
  return gr.Dropdown([], label=label, interactive=True)


def inputs() -> SimpleNamespace:
  """Pictures and driver."""
  made = SimpleNamespace()
  made.samples = gr.Button('Try it with sample heads', variant='secondary')
  made.samples_status = gr.HTML()
  with gr.Row():
    with gr.Column(min_width=300):
      gr.Markdown('## 1. Pictures of one person')
      made.pictures = gr.File(
        label='Pictures, or videos, of one person',
        file_count='multiple',
        file_types=FILES,
        height=160,
      )
      made.face = gr.Dropdown(
        [ONLY_FACE, '0', '1', '2', '3'],
        value=ONLY_FACE,
        label='Which face (--face), from the left, where there are several',
      )
      made.status = gr.HTML()
      made.faces = gr.Gallery(
        label='Faces and landmarks found',
        object_fit='contain',
        elem_classes='faces',
        visible=False,
      )
    with gr.Column(min_width=300):
      gr.Markdown('## 2. Driver: how to move')
      made.driver = gr.Video(
        label='Driver: drop a video, or record one',
        sources=['upload', 'webcam'],
        include_audio=True,
        webcam_options=gr.WebcamOptions(mirror=False),
        height=300,
        elem_classes='driver',
      )
      made.driver_status = gr.HTML()
      made.moments = gr.Gallery(
        label='Moments of the driver, with landmarks',
        elem_classes='faces',
        visible=False,
      )
  return made


def making(settings: Settings) -> SimpleNamespace:
  """From pictures to a person."""
  made, config = SimpleNamespace(), settings.finetuning
  gr.Markdown('## 3. Make the person')
  made.may = gr.Checkbox(label=texts.RIGHTS)
  with gr.Row():
    with gr.Column(scale=2, min_width=300):
      made.shots = gr.Slider(
        1,
        settings.limits.max_pictures,
        value=_USUAL_SHOTS,
        step=1,
        label='T: how many of the frames to learn from',
      )
      made.steps = gr.Slider(
        1,
        max(config.max_steps, 10),
        value=num_finetuning_steps(_USUAL_SHOTS, config),
        step=1,
        label='Steps of fine-tuning, at most',
      )
      with gr.Row():
        made.finetune = gr.Button('Fine-tune', variant='primary')
        made.feed_forward = gr.Button('Without fine-tuning, at once')
      made.status = gr.HTML()
    with gr.Column(scale=1, min_width=260):
      made.preview = gr.Image(
        label='Preview',
        interactive=False,
        height=280,
        buttons=[],
        alt_text='The person in the pose of the first picture',
      )
  return made


def moving() -> SimpleNamespace:
  """From a person to a video."""
  made = SimpleNamespace()
  gr.Markdown('## 4. Animate')
  with gr.Row():
    with gr.Column(scale=2, min_width=300):
      made.person = _people_list('Who is animated')
      made.motion = gr.Radio(
        MOTIONS,
        value='auto',
        label='Motion: as a change since rest, or as it is',
      )
      made.paste_back = gr.Checkbox(
        label='The whole portrait, head pasted back'
      )
      made.label = gr.Checkbox(label='Burn in the word "synthetic"')
      made.sound = gr.Checkbox(True, label="Keep the driver's sound")
      made.animate = gr.Button('Animate', variant='primary')
      made.status = gr.HTML()
      made.download = gr.DownloadButton(
        'Download the signed video', visible=False, variant='primary'
      )
    with gr.Column(scale=1, min_width=260):
      made.video = gr.Video(
        label='The animation',
        interactive=False,
        height=320,
        autoplay=True,
        loop=True,
        buttons=[],
      )
  return made


def comparing() -> SimpleNamespace:
  """Two people in one moment: feed-forward, fine-tuned, this T and that."""
  made = SimpleNamespace()
  gr.Markdown('## 5. Compare')
  with gr.Row():
    with gr.Column(scale=2, min_width=300):
      made.left = _people_list('On the left')
      made.right = _people_list('On the right')
      made.moment = gr.Slider(
        0, 100, value=50, step=1, label='Moment of the driver, in per cent'
      )
      made.compare = gr.Button('Compare')
      made.status = gr.HTML()
    with gr.Column(scale=1, min_width=260):
      made.pictures = gr.ImageSlider(
        label='Left and right',
        interactive=False,
        type='filepath',
        height=320,
        buttons=[],
        elem_classes='pair',
      )
  return made


def live() -> SimpleNamespace:
  """The camera."""
  made = SimpleNamespace()
  gr.Markdown(texts.LIVE)
  made.person = _people_list('Who moves as you do')
  with gr.Row():
    made.camera = gr.Image(
      sources=['webcam'],
      streaming=True,
      type='numpy',
      label='Your camera',
      webcam_options=gr.WebcamOptions(mirror=False),
      height=360,
    )
    made.picture = gr.Image(
      label='The person',
      interactive=False,
      height=360,
      buttons=[],
      alt_text='The person in your pose',
    )
  made.status = gr.HTML()
  return made
