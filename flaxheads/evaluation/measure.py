"""Compares generated frames with their targets by all evaluators."""

import functools
from typing import NamedTuple

import numpy as np

from flaxheads.evaluation import results
from flaxheads.evaluation.evaluators import Evaluators, marked_name
from flaxheads.evaluation.trials import Trial
from flaxheads.metrics import identity, landmark_error
from flaxheads.metrics import image as image_metrics
from flaxheads.metrics.flicker import flicker


class Target(NamedTuple):
  """What a method has to generate.

  Attributes:
    points: float32 [F, 68, 2] in pixels, the landmarks that drive.
    driver: whose they are; None: the person's own.
    frames: uint8 [F, S, S, 3] that they were found in, for methods that are
      driven by frames.
  """

  points: np.ndarray
  driver: str | None = None
  frames: np.ndarray | None = None


class Measured(NamedTuple):
  """Numbers for the table, and arrays for what needs many people.

  Attributes:
    values: by metric; None where there is no value.
    arrays: 'inception' (by its marked name), float32 [F, 2048].
  """

  values: dict[str, float | None]
  arrays: dict[str, np.ndarray]


def embed_faces(frames, points, network) -> np.ndarray:
  """Embeddings of ArcFace or SFace, which see faces aligned alike.

  Args:
    frames: uint8 [F, S, S, 3].
    points: float [F, 68, 2] in pixels; NaN where no face was found.
    network: MetricNetwork.

  Returns:
    float32 [F, D]; NaN where no face was found, and D is 1 where none was.
  """
  found = np.isfinite(points).all((1, 2))
  if not found.any():
    return np.full((len(frames), 1), np.nan, np.float32)
  of_found = network(identity.align(frames[found], points[found]))
  shape = (len(frames), of_found.shape[-1])
  embeddings = np.full(shape, np.nan, np.float32)
  embeddings[found] = of_found
  return embeddings


class Truth:
  """A person's real frames as the evaluators see them, each looked at once."""

  def __init__(self, trial: Trial, evaluators: Evaluators):
    self.trial = trial
    self._evaluators = evaluators
    self._faces = {}

  @functools.cached_property
  def found(self) -> np.ndarray:
    """Detected points of all frames, NaN where there is no face [N, 68, 2]."""
    detector = self._evaluators.detection.detect
    return landmark_error.detect_points(self.trial.frames, detector)

  def faces(self, network) -> np.ndarray:
    """Embeddings of all frames by ArcFace or SFace [N, D]."""
    if network.name not in self._faces:
      detected = self._evaluators.detection is not None
      points = self.found if detected else self.trial.points
      found = embed_faces(self.trial.frames, points, network)
      self._faces[network.name] = found
    return self._faces[network.name]

  @functools.cached_property
  def known_as(self):
    """What stands for the person before the critic."""
    trial = self.trial
    return self._evaluators.critic.embed(
      trial.frames[trial.test], trial.points[trial.test]
    )


def _compare(frames, truth: Truth, evaluators) -> dict:
  """The metrics that need the true frame of every generated one."""
  trial = truth.trial
  generated, real = map(
    image_metrics.to_unit_range, (frames, trial.frames[trial.test])
  )
  mask = landmark_error.face_mask(trial.points[trial.test], frames.shape[1])
  inside = np.asarray(image_metrics.psnr(generated, real, mask))
  values = {
    'psnr': float(image_metrics.psnr(generated, real).mean()),
    'ssim': float(image_metrics.ssim(generated, real).mean()),
    'psnr_face': results.mean_or_none(inside),
  }
  if evaluators.lpips:
    from flaxheads.metrics.lpips import lpips  # late: it needs Flax

    name = marked_name('lpips', evaluators.lpips)
    values[name] = float(lpips(evaluators.lpips, generated, real).mean())
  return values


def _similarity(faces, others) -> float | None:
  """Mean CSIM over the pairs of which both have a face.

  Args:
    faces: float [F, D], NaN without a face; [F, 1] if no frame has one.
    others: float [F, D] or [F, T, D].
  """
  faces, others = np.broadcast_arrays(
    faces.reshape(len(faces), *[1] * (others.ndim - 2), -1), others
  )
  both = np.isfinite(faces).all(-1) & np.isfinite(others).all(-1)
  if not both.any():
    return None
  return float(identity.cosine_similarity(faces[both], others[both]).mean())


def _similarity_to_truth(faces, known, test, target: Target, support):
  """To the true frame; of another's motion, to each of the support frames."""
  if target.driver is None:
    return _similarity(faces, known[test])
  return _similarity(faces, np.repeat(known[support][None], len(faces), 0))


def measure(
  frames, truth: Truth, target: Target, support, evaluators: Evaluators
) -> Measured:
  """Measures the frames of one result.

  Args:
    frames: uint8 [F, S, S, 3], one for each of the target's points.
    truth: of the person who was generated.
    target: what had to be generated; with a driver there is no true frame.
    support: int [T], indices of the trial's frames that the method saw.
    evaluators: what there is.

  Returns:
    Measured. With the person's own motion: psnr, psnr_face (dB), ssim, lpips,
    akd. Always: csim, csim_sface, flicker, realism, nme and failure_rate.
    Landmark distances are fractions of the inter-ocular distance; see
    docs/evaluation.md.
  """
  trial, own = truth.trial, target.driver is None
  shape = (len(target.points), *trial.frames.shape[1:])
  if frames.shape != shape or frames.dtype != np.uint8:
    raise ValueError(
      f'generated frames are {frames.dtype} {frames.shape}, not uint8 {shape}'
    )
  values = _compare(frames, truth, evaluators) if own else {}
  points = target.points
  if evaluators.detection:
    points = landmark_error.detect_points(frames, evaluators.detection.detect)
    error = landmark_error.detected_landmark_error(points, target.points)
    values['nme'] = results.mean_or_none(error.errors)
    values['failure_rate'] = error.failure_rate
    if own:
      distances = landmark_error.keypoint_distance(
        points, truth.found[trial.test], target.points
      )
      values['akd'] = results.mean_or_none(distances)
  for metric, network in (
    ('csim', evaluators.arcface),
    ('csim_sface', evaluators.sface),
  ):
    if network:
      values[marked_name(metric, network)] = _similarity_to_truth(
        embed_faces(frames, points, network),
        truth.faces(network),
        trial.test,
        target,
        support,
      )
  values['flicker'] = results.mean_or_none(flicker(frames, target.points))
  if evaluators.critic:
    scores = evaluators.critic.score(truth.known_as, frames, target.points)
    values['realism'] = float(np.mean(scores))
  arrays = {}
  if evaluators.inception:
    features = evaluators.inception(image_metrics.to_unit_range(frames))
    arrays[marked_name('inception', evaluators.inception)] = features
  return Measured(values, arrays)
