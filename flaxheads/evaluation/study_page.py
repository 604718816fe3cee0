"""The user study as one HTML file that needs no other."""

import base64
import hashlib
import tempfile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from flaxheads import pages
from flaxheads.data.output_files import Seal
from flaxheads.evaluation import results, study
from flaxheads.evaluation.report import write_text
from flaxheads.evaluation.tables import method_title

STUDY = 'study.html'
_SHOWN = 256  # pixels, the least side of an image
_QUALITY = 95


def _encode(image: np.ndarray, name: str, folder: Path, seal) -> str:
  """The three images as one JPEG: all went through the same coder.

  They are signed together, so that no signature tells which one is made.
  """
  scale = max(1, -(-_SHOWN // image.shape[0]))
  if scale > 1:
    image = cv2.resize(
      image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC
    )
  path = folder / name
  Image.fromarray(image).save(path, quality=_QUALITY, subsampling=0)
  if seal:
    seal(path, name)
  return pages.data_uri(path.read_bytes(), 'image/jpeg')


def _describe(triplet: study.Triplet, image: str) -> dict:
  num_shots, method = triplet.group
  return {
    'id': triplet.id,
    'image': image,
    'place': triplet.place,
    'group': f'{method_title(method)} ({num_shots})',
  }


def _render(content: dict) -> str:
  """The page with its questions; its policy lets its own script run alone."""
  script = pages.source('study.js')
  digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
  return pages.render(
    'study.html', content=content, script=script, digest=digest
  )


def write_study(
  path: Path,
  rounds: list[list[study.Triplet]],
  trials,
  store: results.Store,
  seal: Seal | None = None,
) -> None:
  """Writes the page.

  Args:
    path: of the HTML file; it appears whole or not at all.
    rounds: of `study.choose`.
    trials: those that were evaluated.
    store: that holds the generated frames.
    seal: signs each image.
  """
  by_name = {trial.name: trial for trial in trials}
  described = []
  with tempfile.TemporaryDirectory(prefix='flaxheads-') as folder:
    for questions in rounds:
      described.append([])
      for triplet in questions:
        trial = by_name[triplet.row['person']]
        generated = store.arrays(triplet.row)['frames']
        image = study.make_image(triplet, trial, generated)
        name = f'triplet-{triplet.id}.jpg'
        encoded = _encode(image, name, Path(folder), seal)
        described[-1].append(_describe(triplet, encoded))
  content = {'study': study.identify(rounds), 'rounds': described}
  write_text(path, _render(content))
