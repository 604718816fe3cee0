"""What fine-tuning sees of the frames that it holds out, look after look.

The content loss, whether the drawn face stands where it should, and whether it
is still the same person. The two last are measured by what an Examiner brings.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from flaxheads.config import FinetuneConfig
from flaxheads.metrics import landmark_error as landmarks

# Of a face that is not found, or found elsewhere: it is off by the distance of
# the eye corners.
FAILED = 1.0
# By so much a look may be worse than the one before the first step: as far as a
# detector and an embedding waver between two good pictures of one face. Of
# T = 8 pictures one is held out, and its error alone says no more.
LANDMARK_SLACK, IDENTITY_SLACK = 0.03, 0.05
_LOSS_FLOOR = 1e-6  # so that a loss of 0 divides
_MAX_TOLD = 400  # looks of a curve, that a person's file stays small


class Examiner(NamedTuple):
  """What drawn frames are examined with.

  Attributes:
    detect: of flaxheads.landmarks.detect; None: no landmark error.
    embed: takes frames uint8 [H, S, S, 3] and the points of their faces
      float32 [H, 68, 2]; returns what says who it is, float [H, D]. None: no
      identity.
    detector: the name of `detect`.
    identity: what the cosine of two such embeddings is called.
    digest: stands for the weights of `embed` where results are looked up.
  """

  detect: Callable[[np.ndarray], Sequence] | None = None
  embed: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
  detector: str | None = None
  identity: str | None = None
  digest: str | None = None

  def identify(self) -> dict:
    """What a choice by it depends on, as JSON values."""
    return {
      'detector': self.detector,
      'identity': self.identity,
      'weights': self.digest,
    }


NO_EXAMINER = Examiner()


class Look(NamedTuple):
  """One look at the held-out frames; None: not measured.

  Attributes:
    step: steps done.
    loss: content loss.
    landmark_error: mean over the frames, in inter-ocular distances; at most
      FAILED, which a frame without a face counts.
    no_face: share of the drawn frames without a face, in [0, 1].
    identity: mean cosine with the true frames, in [-1, 1].
  """

  step: int
  loss: float
  landmark_error: float | None = None
  no_face: float | None = None
  identity: float | None = None


class HeldOut:
  """The held-out frames as the examiner sees them, each looked at once."""

  def __init__(self, examiner: Examiner, frames, points):
    """Examines the true frames.

    Args:
      examiner: Examiner.
      frames: uint8 [H, S, S, 3].
      points: float32 [H, 68, 2] in pixels.
    """
    self._examiner, self._points = examiner, points
    self._wanted = self._faces = None
    if examiner.detect:
      # The same detector looks at both, so that its bias for a face cancels.
      found = landmarks.detect_points(frames, examiner.detect)
      self._wanted = np.where(np.isfinite(found), found, points)
    if examiner.embed:
      faces = _normalise(examiner.embed(frames, points))
      self._faces = faces if np.isfinite(faces).all() else None

  def examine(self, step: int, loss: float, drawn) -> Look:
    """Examines drawn frames.

    Args:
      step: steps done.
      loss: their content loss.
      drawn: uint8 [H, S, S, 3], in the order of the true frames.
    """
    error = no_face = identity = None
    if self._wanted is not None:
      found = landmarks.detect_points(drawn, self._examiner.detect)
      errors = landmarks.keypoint_distance(found, self._wanted, self._points)
      missing = ~np.isfinite(errors)
      errors = np.where(missing, FAILED, errors).clip(max=FAILED)
      error, no_face = float(errors.mean()), float(missing.mean())
    if self._faces is not None:
      drawn_faces = _normalise(self._examiner.embed(drawn, self._points))
      cosines = (drawn_faces * self._faces).sum(-1)  # [H]
      # What cannot be embedded is like nobody.
      identity = float(np.nan_to_num(cosines, nan=0.0).mean())
    return Look(step, loss, error, no_face, identity)


def _normalise(embeddings) -> np.ndarray:
  embeddings = np.asarray(embeddings, np.float64)
  with np.errstate(divide='ignore', invalid='ignore'):
    lengths = np.linalg.norm(embeddings, axis=-1, keepdims=True)
    return embeddings / lengths  # NaN where there is none


def score(look: Look, start: Look, config: FinetuneConfig) -> float:
  """How far the held-out frames still are from the true ones; 1 at the start.

  What is left of the content loss, and to it, weighted, what landmark error
  and identity have lost since before the first step, beyond their slack. So
  these two do not rank looks whose differences are noise, and a face that
  falls apart, or becomes another's, is not kept for its colours. What was not
  measured has no part in it.

  Args:
    look: Look.
    start: that before the first step.
    config: has the weights of the two.

  Returns:
    At least 0; less is better.
  """
  result = (look.loss + _LOSS_FLOOR) / (start.loss + _LOSS_FLOOR)
  if look.landmark_error is not None:
    lost = look.landmark_error - start.landmark_error - LANDMARK_SLACK
    result += config.landmark_weight * max(0.0, lost)
  if look.identity is not None:
    lost = start.identity - look.identity - IDENTITY_SLACK
    result += config.identity_weight * max(0.0, lost)
  return result


class Curve:
  """The looks of one fine-tuning, and which of them is kept."""

  def __init__(self, config: FinetuneConfig, num_held_out: int, examiner):
    """Starts without a look.

    Args:
      config: weights of what is measured.
      num_held_out: 0: the looks are at the frames that are trained on, and
        the last is kept.
      examiner: Examiner.
    """
    self._config, self._num_held_out = config, num_held_out
    self._examiner = examiner
    self._looks: list[Look] = []
    self._scores: list[float] = []
    self._kept = 0

  @property
  def kept(self) -> Look:
    """The look whose parameters are kept."""
    return self._looks[self._kept]

  def add(self, look: Look) -> bool:
    """Takes the next look; returns whether it is the one to keep."""
    start = self._looks[0] if self._looks else look
    self._looks.append(look)
    self._scores.append(score(look, start, self._config))
    last = len(self._looks) - 1
    better = self._scores[last] < self._scores[self._kept]
    if better or not self._num_held_out:
      self._kept = last
    return self._kept == last

  def describe(self) -> dict:
    """The curve as JSON values: how it was measured, and each look.

    Of very many looks 400 are told, evenly spread, and the kept one.
    """
    last = len(self._looks) - 1
    told = np.linspace(0, last, min(last + 1, _MAX_TOLD)).round().astype(int)
    told = sorted({*told.tolist(), self._kept})
    return {
      **self._examiner.identify(),
      'num_held_out': self._num_held_out,
      'kept': self.kept.step,
      'looks': [
        {**self._looks[i]._asdict(), 'score': self._scores[i]} for i in told
      ],
    }
