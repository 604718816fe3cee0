"""What happens when something on the page is used: sentences and updates."""

import functools
from pathlib import Path

import gradio as gr

from flaxheads.errors import UserError
from flaxheads.provenance import examine, identity
from flaxheads.web import words
from flaxheads.web.follow import follow
from flaxheads.web.looks import in_words
from flaxheads.web.samples import draw_samples
from flaxheads.web.studio import Options, Studio
from flaxheads.web.visit import Visit

ONLY_FACE = 'the only one'
_EVERY = 10  # frames between two looks at the bar


def _paths(files) -> list[Path]:
  return [Path(file) for file in files or ()]


def _people(visit: Visit, chosen: str | None):
  """Updates of the four lists of people."""
  names = list(visit.people)
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
  return words.note(str(error), wrong=True)


class Handlers:
  """What happens when something on the page is used."""

  def __init__(self, studio: Studio):
    self._studio = studio
    self.limits = studio.limits
    self._seconds = 60 * studio.limits.max_minutes
    self._visits: dict[str, Visit] = {}

  def _visit(self, request: gr.Request) -> Visit:
    """The visit of whoever asks; the oldest ends where there are too many."""
    name = request.session_hash
    if name not in self._visits:
      self._visits[name] = Visit(self._studio)
      while len(self._visits) > self.limits.max_visitors:
        self._visits.pop(next(iter(self._visits))).close()
    return self._visits[name]

  def end(self, request: gr.Request) -> None:
    """A visitor has left."""
    if visit := self._visits.pop(request.session_hash, None):
      visit.close()

  def samples(self):
    """Draws the samples; yields status, pictures, driver."""

    def work(tell):
      return draw_samples(self._studio.folder, tell)

    news = follow(work, self._seconds)
    while True:
      try:
        said = next(news)
      except StopIteration as done:
        samples = done.value
        break
      except UserError as error:
        yield _wrong(error), gr.skip(), gr.skip()
        return
      yield words.note(said), gr.skip(), gr.skip()
    pictures = [str(path) for path in samples.pictures]
    said = 'Sample heads are in place; nobody in them exists.'
    yield words.note(said), pictures, str(samples.driver)

  def look(self, files, face, request: gr.Request):
    """Shows the faces; yields status, gallery, T, and the choices of people."""
    visit = self._visit(request)
    looking = words.note('Looking for faces …' if files else '')
    yield looking, _gallery([]), gr.skip(), *_people(visit, None)
    chosen = None if face == ONLY_FACE else int(face)
    work = functools.partial(visit.look, _paths(files), chosen)
    news = follow(work, self._seconds)
    while True:
      try:
        name = next(news)
      except StopIteration as done:
        found = done.value
        break
      except UserError as error:
        yield _wrong(error), _gallery([]), gr.skip(), *_same()
        return
      said = words.note(f'Looking for faces in {name} …')
      yield said, _gallery([]), gr.skip(), *_same()
    wrong = [look.sentence for look in found if look.sentence]
    gallery = [(look.picture, look.name) for look in found if look.support]
    count = visit.num_shots
    said = [f'{count} frame(s) with a face.'] if count else []
    said += wrong + visit.remarks()
    shots = gr.skip()
    if count:
      shots = gr.update(
        value=min(count, 8), maximum=max(count, 2), interactive=count > 1
      )
    status = words.note(*said, wrong=bool(said[1:] or wrong))
    yield status, _gallery(gallery), shots, *_people(visit, None)

  def take_driver(self, path, request: gr.Request):
    """Shows moments of the driver; yields status and gallery."""
    visit = self._visit(request)
    yield words.note('Following the face …' if path else ''), _gallery([])
    try:
      moments = visit.take_driver(Path(path) if path else None)
    except UserError as error:
      yield _wrong(error), _gallery([])
      return
    said = 'A face is found, and followed.' if moments else ''
    shown = [(m, f'moment {n + 1}') for n, m in enumerate(moments)]
    yield words.note(said), _gallery(shown)

  def feed_forward(self, shots, may, request: gr.Request):
    """Makes a person at once; yields status, preview, people."""
    visit = self._visit(request)
    yield words.note('One pass of the embedder …'), None, *_same()
    try:
      name = visit.feed_forward(int(shots), may)
      person = visit.people[name]
      preview = visit.still(person, person.points)
    except UserError as error:
      yield _wrong(error), None, *_same()
      return
    yield words.note(f'Made: {name}.'), preview, *_people(visit, name)

  def finetune(self, shots, steps, may, request: gr.Request):
    """Fine-tunes; yields status, preview, people."""
    visit = self._visit(request)
    first = words.progress(
      'Fine-tuning', 0, int(steps), 'the first time programs are compiled'
    )
    yield first, None, *_same()
    work = functools.partial(visit.finetune, int(shots), int(steps), may)
    news, preview = follow(work, self._seconds), None
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
      bar = words.progress(
        'Fine-tuning', progress.step, progress.num_steps, more
      )
      yield bar, preview, *_same()
    steps_kept = visit.people[name].info['steps']
    said = words.note(f'Made: {name}; kept step {steps_kept}.')
    yield said, preview, *_people(visit, name)

  def animate(
    self, name, retarget, paste_back, label, sound, request: gr.Request
  ):
    """Makes the video; yields status, video, download."""
    visit = self._visit(request)
    yield words.note('Fitting the driver to the person …'), None, _hidden()
    options = Options(retarget, paste_back, label, sound)
    news = follow(
      functools.partial(visit.animate, name, options), self._seconds
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
        yield words.progress('Drawing frames', done, total), None, _hidden()
    said = words.note('Done: signed and watermarked.')
    yield said, path, gr.update(value=path, visible=True)

  def compare(self, left, right, moment, request: gr.Request):
    """Gives status and the two pictures."""
    visit = self._visit(request)
    try:
      pictures = visit.compare(left, right, moment / 100)
    except UserError as error:
      return _wrong(error), None
    said = words.note(f'Left: {left}. Right: {right}.')
    return said, tuple(map(str, pictures))

  def live(self, image, name, request: gr.Request):
    """Gives a drawn frame and status."""
    visit = self._visit(request)
    if image is None:
      return gr.skip(), gr.skip()
    try:
      puppet = visit.puppet(name)
    except UserError as error:
      return None, _wrong(error)
    drawn = puppet(image)
    if drawn is not None:
      return drawn, words.note('Live.')
    if waiting := puppet.waiting_for:
      return gr.skip(), words.note(f'Learning your face: {waiting} more frames')
    return gr.skip(), words.note('No face is seen.', wrong=True)

  def verify(self, file):
    """Says what a file holds."""
    if not file:
      return ''
    path = Path(file)
    try:
      finding = examine.examine(path, identity.trusted_roots())
    except UserError as error:
      return words.note(in_words(error, [path]), wrong=True)
    return words.found(finding.in_words().replace(str(path), path.name))
