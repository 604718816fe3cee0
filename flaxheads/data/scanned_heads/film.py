"""The image formation: exposure, white balance, blur, noise, compression."""

from typing import NamedTuple

import cv2
import numpy as np


class Film(NamedTuple):
  """How a clip is photographed.

  Attributes:
    distance: of the camera from the face, cm.
    exposure: 1: the face as bright as usual.
    balance: float [3] factors of the channels.
    contrast: 1: none.
    saturation: 1: none.
    blur: sigma in parts of the image's side.
    sharpen: amount of unsharp masking.
    noise: standard deviation at mid grey, 0 to 255.
    quality: of the JPEG that a frame went through; 0: none.
  """

  distance: float
  exposure: float
  balance: np.ndarray
  contrast: float
  saturation: float
  blur: float
  sharpen: float
  noise: float
  quality: int


def sample_film(seed) -> Film:
  """Samples a camera; seed as of numpy.random.default_rng."""
  rng = np.random.default_rng(seed)
  return Film(
    distance=float(np.exp(rng.uniform(np.log(45), np.log(200)))),
    exposure=float(np.exp(0.22 * rng.normal())),
    balance=np.exp(
      0.02 * rng.normal(size=3) + rng.normal(0, 0.03) * np.array([1, 0, -1])
    ),
    contrast=float(rng.uniform(0.9, 1.25)),
    saturation=float(rng.uniform(0.75, 1.2)),
    blur=float(0.0035 * rng.beta(1, 2)),
    sharpen=float(rng.choice([0.0, rng.uniform(0.1, 0.6)])),
    noise=float(rng.choice([0.5, rng.uniform(0.5, 5.0)])),
    quality=int(rng.choice([0, rng.integers(45, 95)], p=[0.4, 0.6])),
  )


def develop(frames: np.ndarray, film: Film, seed) -> np.ndarray:
  """What the camera makes of rendered frames: uint8 [F, S, S, 3] both."""
  rng = np.random.default_rng(seed)
  side = frames.shape[1]
  made = np.empty_like(frames)
  for i, frame in enumerate(frames):
    image = frame.astype(np.float32)
    if film.blur * side > 0.2:
      image = cv2.GaussianBlur(image, (0, 0), film.blur * side)
    if film.sharpen:
      soft = cv2.GaussianBlur(image, (0, 0), 1.0)
      image = image + film.sharpen * (image - soft)
    image *= film.balance.astype(np.float32)
    grey = image @ np.float32([0.3, 0.6, 0.1])
    image = grey[..., None] + film.saturation * (image - grey[..., None])
    image = 118 + film.contrast * (image - 118)
    level = film.noise * np.sqrt(np.clip(grey, 8, 255) / 118)[..., None]
    image = image + level * rng.standard_normal(image.shape, np.float32)
    image = np.clip(image, 0, 255).astype(np.uint8)
    if film.quality:
      _, data = cv2.imencode(
        '.jpg', image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, film.quality]
      )
      image = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]
    made[i] = image
  return made
