"""A bi-layer generator's corrections, at the resolution of the photographs.

The network sees small frames; what it returns is smooth but for the colours of
mouth and eyes, and is enlarged. The photograph itself is sampled.
"""

import dataclasses
from typing import Any, NamedTuple, Self

import cv2
import jax
import numpy as np

from flaxheads import bilayer_networks as nets
from flaxheads.bilayer_config import BilayerModelConfig
from flaxheads.config import from_dict
from flaxheads.errors import UserError
from flaxheads.fewshot import bilayer_model
from flaxheads.fewshot.bilayer_model import BilayerModel
from flaxheads.fewshot.person import without_projection

BATCH = 8  # one size compiles once
# A mask that is nearly 1 is 1, so that the photograph stays as sharp as it is.
_LOW, _HIGH = 0.15, 0.75


class NativeCorrection(NamedTuple):
  """What the generator adds to one frame, in pixels of that frame.

  Attributes:
    left: of the window, pixels.
    top: of the window.
    mask: float32 [h, w, 1], the photograph's share.
    flow: float32 [h, w, 2], (x, y) added to the warp.
    rgb: float32 [h, w, 3], new colours in [0, 255].
  """

  left: int
  top: int
  mask: np.ndarray
  flow: np.ndarray
  rgb: np.ndarray

  def within(self, left: int, top: int, height: int, width: int):
    """The part that lies in a rectangle.

    Returns:
      The place in the rectangle, two slices, and the NativeCorrection there;
      None where they do not meet.
    """
    rows, columns = self.mask.shape[:2]
    x0, y0 = max(left, self.left), max(top, self.top)
    x1 = min(left + width, self.left + columns)
    y1 = min(top + height, self.top + rows)
    if x0 >= x1 or y0 >= y1:
      return None
    own = np.s_[y0 - self.top : y1 - self.top, x0 - self.left : x1 - self.left]
    part = NativeCorrection(
      x0, y0, self.mask[own], self.flow[own], self.rgb[own]
    )
    return np.s_[y0 - top : y1 - top, x0 - left : x1 - left], part


def _sharpen(mask):
  share = np.clip((mask - _LOW) / (_HIGH - _LOW), 0, 1)
  return share * share * (3 - 2 * share)


@dataclasses.dataclass(frozen=True)
class PhotoNetwork:
  """A generator for one person.

  Attributes:
    config: sizes of the networks.
    generator: parameters of G without P.
    adain_params: psi, float32 [M].
  """

  config: BilayerModelConfig
  generator: dict
  adain_params: np.ndarray

  @classmethod
  def of_person(cls, model: BilayerModel, photographs, points) -> Self:
    """The generator as E styles it for the photographs.

    Args:
      model: BilayerModel.
      photographs: uint8 [T, N, N, 3].
      points: float [T, 68, 2], pixels.
    """
    size = model.config.image_size
    psi = bilayer_model.embed_photographs(
      model, _resized(photographs, size), points * (size / len(photographs[0]))
    )
    generator = without_projection(model.params['generator'])
    return cls(model.config, generator, psi)

  @classmethod
  def expected(cls, config: BilayerModelConfig) -> dict[str, Any]:
    """A tree like `tensors` of jax.ShapeDtypeStruct."""
    networks = nets.build_networks(config)
    params = nets.describe_params(networks, ['generator'])
    psi = (networks.generator.num_adain_params,)
    return {
      'generator': without_projection(params['generator']),
      'adain_params': jax.ShapeDtypeStruct(psi, np.float32),
    }

  def tensors(self) -> dict[str, Any]:
    """What is stored of it, beside `config`."""
    return {'generator': self.generator, 'adain_params': self.adain_params}

  def correct(
    self, photographs, source, target, many: bool = False
  ) -> list[NativeCorrection]:
    """Corrections of F frames.

    Args:
      photographs: uint8 [F, N, N, 3], the one that each frame is warped from.
      source: float32 [F, V, 3], its vertices, pixels and cm.
      target: float32 [F, V, 3], those of the frame.
      many: as of bilayer_model.corrections.
    """
    native, size = photographs.shape[1], self.config.image_size
    small = np.array([size / native, size / native, 1], np.float32)
    networks, found = nets.build_networks(self.config), []
    for start in range(0, len(target), BATCH):
      rows = np.arange(start, start + BATCH).clip(max=len(target) - 1)
      correction = bilayer_model.corrections(
        networks,
        self.generator,
        self.adain_params,
        _resized(photographs[rows], size),
        source[rows] * small,
        target[rows] * small,
        many,
      )
      found += [
        _enlarge(*fields, native / size)
        for fields in zip(*correction, strict=True)
      ]
    return found[: len(target)]


def read_config(description: dict) -> BilayerModelConfig:
  """The sizes in a person's description.

  Raises:
    UserError: none, or such as are not allowed.
  """
  values = description['network']
  if not isinstance(values, dict):
    raise UserError(f'network: {values!r} is not an object')
  return from_dict(values, BilayerModelConfig)


def _resized(photographs, size):
  """uint8 [B, N, N, 3] to [B, size, size, 3]."""
  if photographs.shape[1] == size:
    return photographs
  return np.stack(
    [
      cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
      for image in photographs
    ]
  )


def _enlarge(origin, mask, flow, rgb, scale) -> NativeCorrection:
  left, top = np.round(origin * scale).astype(int)
  side = round(len(mask) * scale)

  def resize(field):
    field = np.ascontiguousarray(field)
    return cv2.resize(field, (side, side), interpolation=cv2.INTER_LINEAR)

  mask = resize(_sharpen(mask))[..., None]
  return NativeCorrection(left, top, mask, resize(flow) * scale, resize(rgb))
