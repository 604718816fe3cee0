"""The user study as one HTML file that needs no other."""

import base64
import hashlib
import json
import tempfile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from flaxheads.data.output_files import Seal
from flaxheads.evaluation import results, study
from flaxheads.evaluation.page import data_uri
from flaxheads.evaluation.report import write_text
from flaxheads.evaluation.tables import method_title

STUDY = 'study.html'
_SHOWN = 256  # pixels, the least side of a picture
_QUALITY = 95
_TEMPLATE = Path(__file__).with_name('study.html')


def _encode(picture: np.ndarray, name: str, folder: Path, seal) -> str:
  """The three pictures as one JPEG: all went through the same coder.

  They are signed together, so that no signature tells which one is made.
  """
  scale = max(1, -(-_SHOWN // picture.shape[0]))
  if scale > 1:
    picture = cv2.resize(
      picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC
    )
  path = folder / name
  Image.fromarray(picture).save(path, quality=_QUALITY, subsampling=0)
  if seal:
    seal(path, name)
  return data_uri(path, 'image/jpeg')


def _describe(triplet: study.Triplet, picture: str) -> dict:
  num_shots, method = triplet.group
  return {
    'id': triplet.id,
    'picture': picture,
    'place': triplet.place,
    'group': f'{method_title(method)} ({num_shots})',
  }


def _fill(template: str, content: dict) -> str:
  """Puts the questions into the page; its policy lets only its script run."""
  # In a script no end tag may appear.
  text = json.dumps(content).replace('<', '\\u003c')
  script = template.partition('<script>')[2].partition('</script>')[0]
  digest = hashlib.sha256(script.encode()).digest()
  policy = f"'sha256-{base64.b64encode(digest).decode()}'"
  return template.replace('SCRIPT_POLICY', policy).replace('STUDY_JSON', text)


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
    store: that holds the drawn frames.
    seal: signs each picture.
  """
  by_name = {trial.name: trial for trial in trials}
  described = []
  with tempfile.TemporaryDirectory(prefix='flaxheads-') as folder:
    for questions in rounds:
      described.append([])
      for triplet in questions:
        trial = by_name[triplet.row['person']]
        drawn = store.arrays(triplet.row)['frames']
        picture = study.make_picture(triplet, trial, drawn)
        name = f'triplet-{triplet.id}.jpg'
        encoded = _encode(picture, name, Path(folder), seal)
        described[-1].append(_describe(triplet, encoded))
  content = {'study': study.identify(rounds), 'rounds': described}
  template = _TEMPLATE.read_text(encoding='utf-8')
  write_text(path, _fill(template, content))
