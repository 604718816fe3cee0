"""The public interface: make a person from photographs, and render videos.

The commands, the page and the notebooks call these functions. What they record
of a person's origin and rights is in the signed manifest of every video.
Importing this module loads no training code; fine-tuning is imported by the
call that needs it.
"""

import dataclasses
import functools
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from absl import logging

from flaxheads.config import FinetuneConfig
from flaxheads.data.driver import Driver
from flaxheads.data.output_files import atomic_path, atomic_paths
from flaxheads.data.support import Support, load_support
from flaxheads.fewshot import animation_folder, animation_job, rendering
from flaxheads.fewshot.animation_job import MakeMarks, RenderOptions
from flaxheads.fewshot.bilayer_model import BilayerModel
from flaxheads.fewshot.direct import feed_forward
from flaxheads.fewshot.model import Model, choose_model
from flaxheads.fewshot.paste import make_paste
from flaxheads.fewshot.person import Person
from flaxheads.fewshot.photo_person import MAX_SIZE, MIN_SIZE, photo_person
from flaxheads.fewshot.support_warnings import support_warnings
from flaxheads.provenance import rights
from flaxheads.provenance.examine import sha256_of
from flaxheads.provenance.marks import default_marks

if TYPE_CHECKING:  # fine-tuning is loaded where it is used
  from flaxheads.fewshot.finetuning import Progress

Pathlike = str | os.PathLike
# Wraps the frames of a video, given the driver's name and their number.
ShowProgress = Callable[[Iterable, str, int], Iterable]
_DEFAULTS = RenderOptions()


def make_person(
  pictures: Pathlike,
  *,
  model: Model | BilayerModel | str | None = None,
  confirm_rights: bool | str = False,
  finetune: bool = True,
  num_shots: int | None = None,
  face: int | None = None,
  landmarks: Pathlike | None = None,
  config: FinetuneConfig | None = None,
  seed: int = 0,
  on_progress: Callable[['Progress'], None] | None = None,
) -> Person:
  """Makes a person from a few photographs.

  By default a head mesh moves the pixels of the photographs at their own
  resolution, and a bi-layer model corrects them. A model of the paper's
  generator generates the frames itself.

  Args:
    pictures: an image, a video, or a folder of either.
    model: a model of either generator, or its folder. None: the shipped
      bi-layer model, if the installation has it. 'none': the head mesh alone.
    confirm_rights: True if you may animate the person: you, or somebody who has
      agreed. A text says how that was confirmed. Not needed for heads of
      launch.render_heads.
    finetune: whether to fine-tune a model of the paper's generator. False: one
      pass of the embedder, in seconds.
    num_shots: T, spread over the images; None: all, at most 32.
    face: which face to use where an image shows several, from the left, from 0.
    landmarks: an .npz file with the points of every image.
    config: of fine-tuning; None: the model's.
    seed: of fine-tuning.
    on_progress: called at every validation of fine-tuning.

  Raises:
    UserError: rights are not confirmed, an image cannot be read, or shows no
      face.
  """
  how = 'by the caller' if confirm_rights is True else confirm_rights or ''
  info = rights.confirm(pictures, how)
  model = choose_model(model)
  direct = isinstance(model, Model)
  size = model.config.image_size if direct else MAX_SIZE
  support = load_support(
    pictures, size, num_shots, face=face, landmarks=landmarks
  )
  info = {'source': str(pictures), 'source_sha256': sha256_of(pictures), **info}
  size = model.config.image_size if direct else MIN_SIZE
  for warning in (warnings := support_warnings(support, str(pictures), size)):
    logging.warning('%s', warning)
  support = support._replace(remarks=support.remarks + warnings)
  if not (direct and finetune):
    return person_from_support(model, support, info)
  config = config or model.experiment.finetune
  return person_from_support(model, support, info, config, seed, on_progress)


def person_from_support(
  model: Model | BilayerModel | None,
  support: Support,
  info: dict,
  config: FinetuneConfig | None = None,
  seed: int = 0,
  on_progress: Callable[['Progress'], None] | None = None,
) -> Person:
  """Makes a person from frames whose faces are known.

  Args:
    model: of either generator; None: the head mesh alone.
    support: T frames of a Model's size, or else of photo_person.MAX_SIZE.
    info: what is recorded of their origin and of rights.
    config: of fine-tuning; None: feed-forward.
    seed: of fine-tuning.
    on_progress: called at every validation of fine-tuning.
  """
  began = time.perf_counter()
  if not isinstance(model, Model):
    person = photo_person(support, model)
  elif config is None:
    person = feed_forward(model, support.frames, support.points)
  else:
    from flaxheads.fewshot.finetuning import finetune
    from flaxheads.fewshot.validator import make_validator

    person = finetune(
      model,
      support.frames,
      support.points,
      config,
      seed,
      on_progress,
      make_validator(model),
    )
  info = {
    **person.info,
    **info,
    'remarks': support.remarks,
    'seconds': round(time.perf_counter() - began, 2),
  }
  return dataclasses.replace(person, info=info, portrait=support.portrait)


def render_video(
  person: Person | Pathlike,
  driver: Driver | Pathlike,
  path: Pathlike,
  options: RenderOptions = _DEFAULTS,
  *,
  make_marks: MakeMarks = default_marks,
  show_progress: ShowProgress = lambda frames, name, total: frames,
) -> dict:
  """Writes a video of a person who moves as a driver does.

  By default motion is relative to the photograph and the driver's sound is
  kept. Frames are watermarked and the file is signed. PATH.report.json is
  written beside it.

  Args:
    person: Person, or its folder.
    driver: a video, an image, a folder of images, a landmark file, a sound file
      with speech, or a Driver of `load_driver`.
    path: an .mp4; an earlier animation of this name is replaced.
    options: RenderOptions.
    make_marks: who signs and what is marked; the default signs as this
      installation.
    show_progress: wraps the frames, as tqdm does.

  Returns:
    The report: what was rendered, from what and how.

  Raises:
    UserError: an input cannot be read, or the output cannot be written.
  """
  path = Path(path).expanduser()
  rendering.check_video(path)
  job = animation_job.prepare(
    person, [driver], options, make_marks, frames=False
  )
  report_path = rendering.report_of(path)
  with atomic_paths(path, report_path) as (video, report_file):
    _write_video(video, job, job.drivers[0], show_progress, keep=False)
    _write_json(report_file, job.report)
  return job.report


def render_folder(
  person: Person | Pathlike,
  drivers: Sequence[Driver | Pathlike],
  folder: Pathlike,
  options: RenderOptions = _DEFAULTS,
  *,
  png_frames: bool = False,
  make_marks: MakeMarks = default_marks,
  show_progress: ShowProgress = lambda frames, name, total: frames,
) -> dict:
  """Writes a video for each driver, all side by side, and a contact sheet.

  Args:
    person: as of `render_video`.
    drivers: as of `render_video`; `load_driver` keeps their frames.
    folder: new, empty, or an earlier animation to replace.
    options: RenderOptions.
    png_frames: whether to write every frame as well.
    make_marks: as of `render_video`.
    show_progress: as of `render_video`.

  Returns:
    The report, which is also in report.json.

  Raises:
    UserError: an input cannot be read, or the output cannot be written.
  """
  folder = Path(folder).expanduser()
  animation_folder.check_folder(folder)
  job = animation_job.prepare(person, drivers, options, make_marks, frames=True)
  with animation_folder.folder_of_files(folder) as new:
    rendered = [
      _write_video(new / f'{d.name}.mp4', job, d, show_progress, keep=True)
      for d in job.drivers
    ]
    animation_folder.write_extras(
      new, job.person, job.drivers, rendered, job.size, png_frames, job.marks
    )
    _write_json(new / 'report.json', job.report)
  return job.report


def _write_video(path, job, driver, show_progress, keep) -> np.ndarray | None:
  paste = None
  if job.pasted:
    paste = make_paste(job.person, driver.points)
  progress = functools.partial(
    show_progress, name=driver.name, total=len(driver.points)
  )
  return rendering.write_video(
    path, job.person, driver, job.size, job.marks, progress, paste, keep
  )


def _write_json(path: Pathlike, values: dict) -> None:
  with atomic_path(path) as temporary:
    temporary.write_text(json.dumps(values, indent=2), encoding='utf-8')
