"""The page: which handler each of its parts calls, and how it is served."""

import gradio as gr

from flaxheads.web import layout, texts
from flaxheads.web.handlers import Handlers
from flaxheads.web.settings import Settings

_WORK = 'work'  # one piece at a time: it takes the whole machine
_KEPT_SECONDS = 3600  # of what is uploaded: see texts.PEOPLE
_CLEAN_EVERY = 300  # seconds
_STREAM_EVERY = 0.1  # seconds
# Nothing is loaded from elsewhere.
_FONTS = {'font': ('system-ui', 'sans-serif'), 'font_mono': ('monospace',)}


def theme() -> gr.Theme:
  """Plain, with the fonts of the visitor's own machine."""
  # Darker than the default, so that white text on it can be read.
  strong, stronger = '*primary_600', '*primary_700'
  return gr.themes.Default(primary_hue='blue', **_FONTS).set(
    body_text_color_subdued='*neutral_500',  # 4.8 to 1 on white
    checkbox_border_color='*neutral_500',
    checkbox_border_color_dark='*neutral_400',
    button_primary_background_fill=strong,
    button_primary_background_fill_dark=strong,
    button_primary_background_fill_hover=stronger,
    button_primary_background_fill_hover_dark=stronger,
  )


def _verify(handlers: Handlers) -> None:
  gr.Markdown(texts.VERIFY)
  file = gr.File(label='A picture or video to verify', file_types=layout.FILES)
  said = gr.HTML()
  file.change(
    handlers.verify, file, said, concurrency_id=_WORK, concurrency_limit=1
  )


def _connect(handlers, given, making, moving, comparing, live):
  """Which handler each part calls."""
  people = [moving.person, comparing.left, comparing.right, live.person]
  quiet = {
    'show_progress': 'hidden',  # ours is there
    'concurrency_id': _WORK,
    'concurrency_limit': 1,
    'api_visibility': 'private',
  }
  given.samples.click(
    handlers.samples,
    None,
    [given.samples_status, given.pictures, given.driver],
    **quiet,
  )
  gr.on(
    [given.pictures.change, given.face.change],
    handlers.take_pictures,
    [given.pictures, given.face],
    [given.status, given.faces, making.shots, *people],
    **quiet,
  )
  given.driver.change(
    handlers.take_driver,
    [given.driver],
    [given.driver_status, given.moments],
    **quiet,
  )
  made = [making.status, making.preview, *people]
  making.feed_forward.click(
    handlers.feed_forward, [making.shots, making.may], made, **quiet
  )
  making.finetune.click(
    handlers.finetune,
    [making.shots, making.steps, making.may],
    made,
    **quiet,
  )
  options = [moving.motion, moving.paste_back, moving.label, moving.sound]
  moving.animate.click(
    handlers.animate,
    [moving.person, *options],
    [moving.status, moving.video, moving.download],
    **quiet,
  )
  gr.on(
    [comparing.compare.click, comparing.moment.release],
    handlers.compare,
    [comparing.left, comparing.right, comparing.moment],
    [comparing.status, comparing.pictures],
    **quiet,
  )
  live.camera.stream(
    handlers.live,
    [live.camera, live.person],
    [live.picture, live.status],
    stream_every=_STREAM_EVERY,
    time_limit=round(60 * handlers.limits.max_minutes),
    **(quiet | {'concurrency_id': 'live'}),
  )


def build(settings: Settings) -> gr.Blocks:
  """Makes the page.

  Args:
    settings: what all visitors share.
  """
  handlers = Handlers(settings)
  with gr.Blocks(
    title=texts.TITLE,
    analytics_enabled=False,
    delete_cache=(_CLEAN_EVERY, _KEPT_SECONDS),
  ) as page:
    page.unload(handlers.end)
    gr.Markdown(texts.HEAD)
    gr.Markdown(texts.PEOPLE)
    with gr.Tabs():
      with gr.Tab('Make'):
        made = (
          layout.inputs(),
          layout.making(settings),
          layout.moving(),
          layout.comparing(),
        )
      with gr.Tab('Live'):
        live = layout.live()
      with gr.Tab('Verify'):
        _verify(handlers)
    _connect(handlers, *made, live)
  return page.queue(max_size=settings.limits.max_waiting, api_open=False)


def serve(page: gr.Blocks, host: str, port: int, settings: Settings) -> None:
  """Serves until it is interrupted.

  Args:
    page: of `build`.
    host: address to listen at.
    port: at it.
    settings: as of `build`.

  Raises:
    OSError: nobody can listen there.
  """
  page.launch(
    server_name=host,
    server_port=port,
    share=False,
    quiet=True,
    ssr_mode=False,
    enable_monitoring=False,
    footer_links=[],
    max_file_size=f'{settings.limits.max_megabytes}mb',
    max_threads=8,
    allowed_paths=[str(settings.folder)],
    theme=theme(),
    css=texts.CSS,
    js=texts.NAMES,
    prevent_thread_lock=True,
  )
