"""CPU-seconds from the start of a command to what a user waits for.

Each case runs twice, with an empty compilation cache and with that which the
first run left. The portrait and the clip are skimage's astronaut, 192 pixels,
the clip 25 frames of it.
"""

import http.client
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from configs import synthetic_64
from flaxheads import fewshot
from tests import tiny_game
from tests.benchmark import watched
from tests.benchmark.watched import Watched
from tests.launch import commands, footage

FRAMES, FPS, SHOTS = 25, 25, 8
_TRAINING_STEPS = 60
_PATIENCE = 600  # seconds for an answer of the page


class Part(NamedTuple):
  """One figure: what was waited for, and what of that is compilation.

  `compiling` is None where the figure is no processor time.
  """

  name: str
  seconds: float
  compiling: float | None


class Result(NamedTuple):
  """The figures of one run, and the CPU-seconds of each program."""

  parts: list[Part]
  programs: dict


def _whole(name: str, found: Watched) -> Part:
  return Part(name, found.cpu_seconds, found.compilation())


def _until_frame(name: str, found: Watched) -> Part:
  return Part(name, found.first_frame, found.compilation(found.first_frame))


class Stage:
  """Inputs on disk, and the runs, for as long as they are needed.

  Args:
    steps: of fine-tuning; None: the model's own number.
  """

  def __init__(self, steps: int | None = None):
    self._folder = tempfile.TemporaryDirectory(prefix='flaxheads-benchmark-')
    self._root, self._steps = Path(self._folder.name), steps
    footage.write_pictures(self._root / 'photos', SHOTS)
    footage.write_video(self._root / 'clip.mp4', FRAMES, FPS)
    self._photo = self._root / 'photos' / '0.png'

  def close(self) -> None:
    """Removes everything."""
    self._folder.cleanup()

  def cases(self) -> dict[str, Callable[[Path], Result]]:
    """Functions of the compilation cache, by name."""
    return {
      'animate one photo': lambda cache: self._animate(cache, self._photo),
      f'animate {SHOTS} photos': lambda cache: self._animate(
        cache, self._root / 'photos'
      ),
      'fine-tune T = 1': lambda cache: self._finetune(cache, 1),
      f'fine-tune T = {SHOTS}': lambda cache: self._finetune(cache, SHOTS),
      f'{_TRAINING_STEPS} steps of configs/tiny.py, a checkpoint': self._train,
      'page': self.page,
    }

  def _start(self, cache: Path, module: str, *arguments):
    log = Path(tempfile.mkdtemp(dir=self._root)) / 'log'
    child = watched.start(
      log,
      module,
      *arguments,
      JAX_COMPILATION_CACHE_DIR=str(cache),
      JAX_ENABLE_COMPILATION_CACHE='true',
    )
    return child, log

  def _run(self, cache: Path, module: str, *arguments) -> Watched:
    return watched.finish(*self._start(cache, module, *arguments))

  def _animate(self, cache, source) -> Result:
    found = self._run(
      cache,
      'launch.animate',
      '--confirm_rights',
      f'--source={source}',
      f'--driver={self._root / "clip.mp4"}',
      f'--output={self._root / "out.mp4"}',
    )
    parts = [_until_frame('first frame', found), _whole('whole', found)]
    return Result(parts, found.by_program())

  def _finetune(self, cache, shots) -> Result:
    if not (model := self._root / 'model').exists():
      experiment = synthetic_64.get_config()
      fewshot.save_model(str(model), tiny_game.make_model(experiment))
    found = self._run(
      cache,
      'launch.finetune',
      '--confirm_rights',
      f'--model={model}',
      f'--source={self._root / "photos"}',
      f'--num_shots={shots}',
      f'--output={self._root / "person"}',
      *([f'--num_steps={self._steps}'] if self._steps else []),
    )
    return Result([_whole('whole', found)], found.by_program())

  def _train(self, cache) -> Result:
    if not (data := self._root / 'data').exists():
      done = commands.finish(
        commands.start(
          'prepare',
          '--dataset=synthetic_heads',
          '--num_identities=4',
          '--num_test_identities=1',
          '--clips_per_identity=1',
          '--num_frames=8',
          '--num_test_frames=4',
          '--image_size=64',
          f'--data_dir={data}',
        )
      )
      if done.code:
        raise RuntimeError(f'launch.prepare failed: {done.err[-500:]}')
    found = self._run(
      cache,
      'launch.train',
      '--config=configs/tiny.py',
      f'--config.training.num_steps={_TRAINING_STEPS}',
      f'--config.training.checkpoint_every={_TRAINING_STEPS}',
      f'--config.training.sample_every={_TRAINING_STEPS}',
      f'--config.data.data_dir={data}',
      f'--workdir={tempfile.mkdtemp(dir=self._root)}',
    )
    return Result([_whole('whole', found)], found.by_program())

  def page(self, cache: Path, *arguments: str) -> Result:
    """From the start of the page to the video of a photo and a clip."""
    port = commands.free_port()
    child, log = self._start(cache, 'launch.demo', f'--port={port}', *arguments)
    try:
      child.stdout.readline()  # with its address
      opened, began = watched.used(child.pid), time.monotonic()
      visit = Visit(port)
      visit.give(self._photo, self._root / 'clip.mp4')
      moments = {}
      for state in visit.states():
        for name in ('preview', 'result'):
          if state[name] and name not in moments:
            moments[name] = watched.used(child.pid), time.monotonic() - began
        if state['result']:
          break
        if state['wrong'] or any(
          file and file['state'] == 'wrong'
          for file in (*state['pictures'], state['driver'])
        ):
          raise RuntimeError(f'the page refuses: {state}')
    finally:
      child.terminate()
    found = watched.finish(child, log)
    parts = [Part('listening', opened, 0.0)]
    for name, called in (('preview', 'first frame'), ('result', 'video')):
      cpu, wall = moments.get(name, moments['result'])
      parts.append(Part(called, cpu, found.compilation(cpu)))
      parts.append(Part(f'{called}, wall time since the upload', wall, None))
    return Result(parts, found.by_program())


class Visit:
  """A visitor of the page, who speaks HTTP as its script does."""

  def __init__(self, port: int):
    self._port, self._token = port, ''
    self._token = json.loads(self._ask('POST', '/join').read())['token']

  def _ask(self, method, path, body=b'') -> http.client.HTTPResponse:
    link = http.client.HTTPConnection('127.0.0.1', self._port, _PATIENCE)
    link.request(method, path, body, {'X-Session': self._token})
    answer = link.getresponse()
    if answer.status != http.HTTPStatus.OK:
      raise RuntimeError(f'{path}: {answer.read().decode()}')
    return answer

  def give(self, photo: Path, clip: Path) -> None:
    """Uploads both, and ticks the box."""
    for path, file in (('/picture', photo), ('/driver', clip)):
      self._ask('POST', f'{path}?name={file.name}', file.read_bytes()).read()
    self._ask('POST', '/change', b'{"do": "may", "may": true}').read()

  def states(self) -> Iterator[dict]:
    """What the page would show, after every change."""
    for line in self._ask('GET', '/events'):
      yield json.loads(line)


def measure(stage: Stage, progress=iter):
  """Yields (case, 'cold' or 'warm', Result) of all cases of a stage."""
  for name, run in progress(list(stage.cases().items())):
    with tempfile.TemporaryDirectory() as cache:
      for state in ('cold', 'warm'):
        yield name, state, run(Path(cache))
