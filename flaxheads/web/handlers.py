"""The event handlers of the page: each yields texts and updates."""

import functools
from pathlib import Path

import gradio as gr

from flaxheads.errors import UserError
from flaxheads.fewshot.animation_job import RenderOptions
from flaxheads.provenance import examine, identity
from flaxheads.web import found_faces, texts
from flaxheads.web.background import run_in_background
from flaxheads.web.sample_heads import render_samples
from flaxheads.web.session import Session
from flaxheads.web.settings import Settings

ONLY_FACE = 'the only one'
_EVERY = 10  # frames between two updates of the bar


def _paths(files) -> list[Path]:
  return [Path(file) for file in files or ()]


def _people(session: Session, chosen: str | None):
  """Updates of the four lists of people."""
  names = list(session.people)
  value = chosen or (names[-1] if names else None)
  # One each: gradio empties what it has used.
  return [gr.update(choices=names, value=value) for _ in range(4)]


def _same():
  return [gr.skip()] * 4


def _gallery(pictures):
  return gr.update(value=pictures, visible=bool(pictures))


def _hidden():
  return gr.update(value=None, visible=False)


def _wrong(error: UserError) -> str:
  return texts.note(str(error), wrong=True)


class Handlers:
  """The event handlers of the page."""

  def __init__(self, settings: Settings):
    self._settings = settings
    self.limits = settings.limits
    self._seconds = 60 * settings.limits.max_minutes
    self._sessions: dict[str, Session] = {}

  def _session(self, request: gr.Request) -> Session:
    """The session of a visitor; the oldest ends where there are too many."""
    name = request.session_hash
    if name not in self._sessions:
      self._sessions[name] = Session(self._settings)
      while len(self._sessions) > self.limits.max_visitors:
        self._sessions.pop(next(iter(self._sessions))).close()
    return self._sessions[name]

  def end(self, request: gr.Request) -> None:
    """A visitor has left."""
    if session := self._sessions.pop(request.session_hash, None):
      session.close()

  def samples(self):
    """Renders the samples; yields status, pictures, driver."""

    def work(tell):
      return render_samples(self._settings.folder, tell)

    news = run_in_background(work, self._seconds)
    while True:
      try:
        said = next(news)
      except StopIteration as done:
        samples = done.value
        break
      except UserError as error:
        yield _wrong(error), gr.skip(), gr.skip()
        return
      yield texts.note(said), gr.skip(), gr.skip()
    pictures = [str(path) for path in samples.pictures]
    said = 'Sample heads are in place; nobody in them exists.'
    yield texts.note(said), pictures, str(samples.driver)

  def take_pictures(self, files, face, request: gr.Request):
    """Shows the faces; yields status, gallery, T, and the choices of people."""
    session = self._session(request)
    looking = texts.note('Looking for faces …' if files else '')
    yield looking, _gallery([]), gr.skip(), *_people(session, None)
    chosen = None if face == ONLY_FACE else int(face)
    work = functools.partial(session.take_pictures, _paths(files), chosen)
    news = run_in_background(work, self._seconds)
    while True:
      try:
        name = next(news)
      except StopIteration as done:
        found = done.value
        break
      except UserError as error:
        yield _wrong(error), _gallery([]), gr.skip(), *_same()
        return
      said = texts.note(f'Looking for faces in {name} …')
      yield said, _gallery([]), gr.skip(), *_same()
    wrong = [file.sentence for file in found if file.sentence]
    gallery = [(file.picture, file.name) for file in found if file.support]
    count = session.num_shots
    said = [f'{count} frame(s) with a face.'] if count else []
    said += wrong + session.warnings()
    shots = gr.skip()
    if count:
      shots = gr.update(
        value=min(count, 8), maximum=max(count, 2), interactive=count > 1
      )
    status = texts.note(*said, wrong=bool(said[1:] or wrong))
    yield status, _gallery(gallery), shots, *_people(session, None)

  def take_driver(self, path, request: gr.Request):
    """Shows moments of the driver; yields status and gallery."""
    session = self._session(request)
    yield texts.note('Following the face …' if path else ''), _gallery([])
    try:
      moments = session.take_driver(Path(path) if path else None)
    except UserError as error:
      yield _wrong(error), _gallery([])
      return
    said = 'A face is found, and followed.' if moments else ''
    shown = [(m, f'moment {n + 1}') for n, m in enumerate(moments)]
    yield texts.note(said), _gallery(shown)

  def feed_forward(self, shots, may, request: gr.Request):
    """Makes a person at once; yields status, preview, people."""
    session = self._session(request)
    yield texts.note('One pass of the embedder …'), None, *_same()
    try:
      name = session.feed_forward(int(shots), may)
      person = session.people[name]
      preview = session.still(person, person.points)
    except UserError as error:
      yield _wrong(error), None, *_same()
      return
    yield texts.note(f'Made: {name}.'), preview, *_people(session, name)

  def finetune(self, shots, steps, may, request: gr.Request):
    """Fine-tunes; yields status, preview, people."""
    session = self._session(request)
    first = texts.progress(
      'Fine-tuning', 0, int(steps), 'the first time programs are compiled'
    )
    yield first, None, *_same()
    work = functools.partial(session.finetune, int(shots), int(steps), may)
    news, preview = run_in_background(work, self._seconds), None
    while True:
      try:
        progress, preview = next(news)
      except StopIteration as done:
        name = done.value
        break
      except UserError as error:
        yield _wrong(error), None, *_same()
        return
      more = f'loss {progress.loss:.2f}, best at step {progress.best_step}'
      bar = texts.progress(
        'Fine-tuning', progress.step, progress.num_steps, more
      )
      yield bar, preview, *_same()
    steps_kept = session.people[name].info['steps']
    said = texts.note(f'Made: {name}; kept step {steps_kept}.')
    yield said, preview, *_people(session, name)

  def animate(
    self, name, motion, paste_back, label, sound, request: gr.Request
  ):
    """Makes the video; yields status, video, download."""
    session = self._session(request)
    yield texts.note('Fitting the driver to the person …'), None, _hidden()
    options = RenderOptions(motion, paste_back, sound, found_faces.SHOWN)
    news = run_in_background(
      functools.partial(session.animate, name, options, label), self._seconds
    )
    while True:
      try:
        done, total = next(news)
      except StopIteration as finished:
        path = str(finished.value)
        break
      except UserError as error:
        yield _wrong(error), None, _hidden()
        return
      if done % _EVERY == 0:
        yield texts.progress('Generating frames', done, total), None, _hidden()
    said = texts.note('Done: signed and watermarked.')
    yield said, path, gr.update(value=path, visible=True)

  def compare(self, left, right, moment, request: gr.Request):
    """Returns status and the two images."""
    session = self._session(request)
    try:
      pictures = session.compare(left, right, moment / 100)
    except UserError as error:
      return _wrong(error), None
    said = texts.note(f'Left: {left}. Right: {right}.')
    return said, tuple(map(str, pictures))

  def live(self, image, name, request: gr.Request):
    """Returns a generated frame and status."""
    session = self._session(request)
    if image is None:
      return gr.skip(), gr.skip()
    try:
      live = session.live(name)
    except UserError as error:
      return None, _wrong(error)
    drawn = live(image)
    if drawn is not None:
      return drawn, texts.note('Live.')
    if waiting := live.waiting_for:
      return gr.skip(), texts.note(f'Learning your face: {waiting} more frames')
    return gr.skip(), texts.note('No face is seen.', wrong=True)

  def verify(self, file):
    """Says what a file holds."""
    if not file:
      return ''
    path = Path(file)
    try:
      finding = examine.examine(path, identity.trusted_roots())
    except UserError as error:
      return texts.note(found_faces.with_names(error, [path]), wrong=True)
    return texts.found(finding.in_words().replace(str(path), path.name))
