"""Validation of a fine-tuning: what is measured, and which step is kept.

Some of the T frames are set aside. Every few steps they are evaluated: the
content loss, the landmark error and the identity. The last two come from a
Validator.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from flaxheads.config import FinetuneConfig
from flaxheads.metrics import landmark_error as landmarks

# Landmark error of a face that is not found, or found elsewhere: the distance
# of the outer eye corners.
FAILED = 1.0
# How much a result may be worse than the one before the first step: as far as a
# detector and an embedding vary between two good images of one face. At T = 8
# there is one validation frame, whose error alone says no more.
LANDMARK_SLACK, IDENTITY_SLACK = 0.03, 0.05
_LOSS_FLOOR = 1e-6  # against a division by 0
_MAX_REPORTED = 400  # results of a curve, to keep a person's folder small


class Validator(NamedTuple):
  """The metrics of generated validation frames.

  Attributes:
    detect: of flaxheads.landmarks.detect; None: no landmark error.
    embed: takes frames uint8 [V, S, S, 3] and the points of their faces
      float32 [V, 68, 2]; returns an embedding of the identity, float [V, D].
      None: no identity.
    detector: the name of `detect`.
    identity: what the cosine of two such embeddings is called.
    digest: identifies the weights of `embed` in stored results.
  """

  detect: Callable[[np.ndarray], Sequence] | None = None
  embed: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
  detector: str | None = None
  identity: str | None = None
  digest: str | None = None

  def identify(self) -> dict:
    """What a choice by this validator depends on, as JSON values."""
    return {
      'detector': self.detector,
      'identity': self.identity,
      'weights': self.digest,
    }


NO_VALIDATOR = Validator()


class ValidationResult(NamedTuple):
  """What one validation measured; None: not measured.

  Attributes:
    step: steps done.
    loss: content loss.
    landmark_error: mean over the frames, in inter-ocular distances; at most
      FAILED, which a frame without a face counts.
    no_face: share of the generated frames without a face, in [0, 1].
    identity: mean cosine with the true frames, in [-1, 1].
  """

  step: int
  loss: float
  landmark_error: float | None = None
  no_face: float | None = None
  identity: float | None = None


class ValidationFrames:
  """The validation frames, with what a Validator finds in the true ones."""

  def __init__(self, validator: Validator, frames, points):
    """Measures the true frames, once.

    Args:
      validator: Validator.
      frames: uint8 [V, S, S, 3].
      points: float32 [V, 68, 2] in pixels.
    """
    self._validator, self._points = validator, points
    self._true_points = self._true_faces = None
    if validator.detect:
      # One detector sees true and generated frames, so its bias cancels.
      found = landmarks.detect_points(frames, validator.detect)
      self._true_points = np.where(np.isfinite(found), found, points)
    if validator.embed:
      faces = _normalise(validator.embed(frames, points))
      self._true_faces = faces if np.isfinite(faces).all() else None

  def measure(self, step: int, loss: float, generated) -> ValidationResult:
    """Measures generated frames.

    Args:
      step: steps done.
      loss: their content loss.
      generated: uint8 [V, S, S, 3], in the order of the true frames.
    """
    error = no_face = identity = None
    if self._true_points is not None:
      found = landmarks.detect_points(generated, self._validator.detect)
      errors = landmarks.keypoint_distance(
        found, self._true_points, self._points
      )
      missing = ~np.isfinite(errors)
      errors = np.where(missing, FAILED, errors).clip(max=FAILED)
      error, no_face = float(errors.mean()), float(missing.mean())
    if self._true_faces is not None:
      faces = _normalise(self._validator.embed(generated, self._points))
      cosines = (faces * self._true_faces).sum(-1)  # [V]
      # A face that cannot be embedded has no similarity.
      identity = float(np.nan_to_num(cosines, nan=0.0).mean())
    return ValidationResult(step, loss, error, no_face, identity)


def _normalise(embeddings) -> np.ndarray:
  embeddings = np.asarray(embeddings, np.float64)
  with np.errstate(divide='ignore', invalid='ignore'):
    lengths = np.linalg.norm(embeddings, axis=-1, keepdims=True)
    return embeddings / lengths  # NaN where there is none


def score(
  result: ValidationResult, start: ValidationResult, config: FinetuneConfig
) -> float:
  """How far generated frames are from the true ones; 1 at the start.

  The score is the remaining share of the content loss. Added, with weights, is
  what landmark error and identity have lost since the first step beyond their
  slack. So these two do not rank results whose differences are noise, and a
  face that falls apart, or becomes another's, is not kept for its colours. What
  was not measured does not count.

  Args:
    result: ValidationResult.
    start: the one before the first step.
    config: has the two weights.

  Returns:
    At least 0; less is better.
  """
  total = (result.loss + _LOSS_FLOOR) / (start.loss + _LOSS_FLOOR)
  if result.landmark_error is not None:
    lost = result.landmark_error - start.landmark_error - LANDMARK_SLACK
    total += config.landmark_weight * max(0.0, lost)
  if result.identity is not None:
    lost = start.identity - result.identity - IDENTITY_SLACK
    total += config.identity_weight * max(0.0, lost)
  return total


class ValidationCurve:
  """The results of one fine-tuning, and which step is kept."""

  def __init__(
    self, config: FinetuneConfig, num_frames: int, validator: Validator
  ):
    """Starts without a result.

    Args:
      config: weights of the metrics.
      num_frames: V; 0: results are of the training frames themselves, and the
        last step is kept.
      validator: Validator.
    """
    self._config, self._num_frames = config, num_frames
    self._validator = validator
    self._results: list[ValidationResult] = []
    self._scores: list[float] = []
    self._kept = 0

  @property
  def kept(self) -> ValidationResult:
    """The result of the step whose parameters are kept."""
    return self._results[self._kept]

  def add(self, result: ValidationResult) -> bool:
    """Adds the next result; returns whether its parameters are to be kept."""
    start = self._results[0] if self._results else result
    self._results.append(result)
    self._scores.append(score(result, start, self._config))
    last = len(self._results) - 1
    better = self._scores[last] < self._scores[self._kept]
    if better or not self._num_frames:
      self._kept = last
    return self._kept == last

  def describe(self) -> dict:
    """The curve as JSON values: how it was measured, and each result.

    Of a long curve 400 results are reported, evenly spread, and the kept one.
    """
    last = len(self._results) - 1
    count = min(last + 1, _MAX_REPORTED)
    reported = np.linspace(0, last, count).round().astype(int)
    reported = sorted({*reported.tolist(), self._kept})
    return {
      **self._validator.identify(),
      'num_validation_frames': self._num_frames,
      'kept': self.kept.step,
      'results': [
        {**self._results[i]._asdict(), 'score': self._scores[i]}
        for i in reported
      ],
    }
