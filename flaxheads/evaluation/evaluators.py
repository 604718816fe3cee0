"""Evaluators of images: a face detector, networks, a discriminator.

All but the detector need published weights. Without them their metrics are
absent, and `Evaluators.absent` says so in sentences.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from flaxheads.errors import UserError

# Flax and all that needs it are imported late: a run without these networks
# does without them.

# Which networks each flag takes, the usual one first, and what it measures.
KINDS = {
  'inception': (('inception',), 'FID, KID'),
  'arcface': (('arcface_r50', 'arcface_r100', 'iresnet_small'), 'CSIM'),
  'sface': (('sface',), 'CSIM (SFace)'),
  'lpips': (('lpips_alex', 'lpips_vgg'), 'LPIPS'),
}
NONE, RANDOM = 'none', 'random'


class Detection(NamedTuple):
  """A landmark detector and the name that stands for it in results."""

  name: str
  detect: Callable[[np.ndarray], Sequence]


class Critic(NamedTuple):
  """A discriminator that scores how real frames of a person look.

  Attributes:
    digest: stands for its weights in results.
    embed: takes frames uint8 [F, S, S, 3] and points [F, 68, 2] of the
      person; returns what stands for the person.
    score: takes that, frames and their points; returns float32 [F].
  """

  digest: str
  embed: Callable[[np.ndarray, np.ndarray], Any]
  score: Callable[[Any, np.ndarray, np.ndarray], np.ndarray]


class Evaluators(NamedTuple):
  """What there is to measure with; None: not there.

  Attributes:
    detection: for landmark errors, and for aligning faces.
    inception: flaxheads.metrics.networks.MetricNetwork, for FID and KID.
    arcface: the same, for CSIM.
    lpips: the same, for LPIPS.
    critic: for the realism score.
    sface: MetricNetwork, for CSIM (SFace).
    absent: what is missing, a sentence each, for the report.
  """

  detection: Detection | None = None
  inception: Any = None
  arcface: Any = None
  lpips: Any = None
  critic: Critic | None = None
  sface: Any = None
  absent: tuple[str, ...] = ()

  @property
  def networks(self) -> list:
    """Those networks that are there."""
    networks = (self.inception, self.arcface, self.sface, self.lpips)
    return [network for network in networks if network]

  @property
  def warnings(self) -> list[str]:
    """Why numbers of these networks are not what their names say."""
    return [network.warning for network in self.networks if network.warning]

  def identify(self) -> dict:
    """What results depend on, as JSON values."""
    return {
      'detector': self.detection.name if self.detection else None,
      'networks': [[n.name, n.mark, n.digest] for n in self.networks],
      'critic': self.critic.digest if self.critic else None,
    }


NO_EVALUATORS = Evaluators()


def marked_name(metric: str, network) -> str:
  """A metric's key: 'csim', or with untrusted weights 'csim_random_weights'.

  Numbers of such weights never go by the plain name, not in any file.
  """
  return '_'.join([metric, *network.mark.split()])


def _find(kind: str) -> str | None:
  """Path of weights that were fetched or converted before."""
  from flaxheads.weights import store

  for name in KINDS[kind][0]:
    if name == store.PROXY:
      continue  # used where a flag names its file, never unasked
    if store.default_path(name).is_file():
      return str(store.default_path(name))
  return None


def _name_of(kind: str, path: str) -> str:
  """Which network a file of weights is of; its metadata say it."""
  from flaxheads.weights import tensors

  names, _ = KINDS[kind]
  found = tensors.read_metadata(path).get('network')
  if found not in names:
    raise UserError(
      f'--{kind}={path}: weights of {str(found)[:50]!r}; {" or ".join(names)}'
      ' is needed'
    )
  return found


def load_network(kind: str, value: str = ''):
  """A network as a flag asks for it.

  Args:
    kind: of KINDS.
    value: a safetensors file of launch.weights; 'none': leave it out;
      'random': random weights, to try the evaluation; '': the place where
      launch.weights puts it, if it is there.

  Returns:
    (MetricNetwork or None, '' or a sentence why there is none).

  Raises:
    UserError: a file that is missing, damaged or of another network.
  """
  names, measures = KINDS[kind]
  if value == NONE:
    return None, f'No {measures}: left out by --{kind}=none.'
  path = value or _find(kind)
  if not path:
    return None, (
      f'No {measures}: there are no weights; python -m launch.weights'
      f' --fetch={names[0]} gets them.'
    )
  from flaxheads.metrics import networks

  if value == RANDOM:
    return networks.random_network(names[0]), ''
  if not Path(path).expanduser().is_file():
    raise UserError(
      f'--{kind}={value}: no such file; python -m launch.weights'
      f' --fetch={names[0]} --output={value} makes it'
    )
  path = str(Path(path).expanduser())
  return networks.load_network(_name_of(kind, path), path), ''


def make_critic(model, digest: str) -> tuple[Critic | None, str]:
  """The model's own discriminator as a judge.

  r = V(x, y)^T (w0 + ê) + b (Zakharov et al. 2019, section 3.2), where ê, the
  mean of E over the person's real test frames, stands for the row W_i of
  a person without one. The judge of a person is the same for all methods and
  all T, and for the real frames.

  Args:
    model: of flaxheads.fewshot.load_model, or None.
    digest: stands for its weights.

  Returns:
    (Critic or None, '' or a sentence why there is none).
  """
  if model is None:
    return None, 'No realism score: no model was loaded.'
  if not model.experiment.loss.match:
    return None, (
      'No realism score: the model was trained without L_MCH, so that its'
      ' discriminator knows no embeddings.'
    )
  from flaxheads import fewshot

  return Critic(digest, *fewshot.make_realism_scorer(model)), ''


def make_validator(model, evaluators: Evaluators):
  """What fine-tuning validates with: the same networks.

  The detector, and ArcFace, unless its weights are random or a proxy;
  else the model's own embedder does. The evaluation's test frames are never
  among those.

  Args:
    model: of flaxheads.fewshot.load_model.
    evaluators: what there is.

  Returns:
    flaxheads.fewshot.Validator.
  """
  from flaxheads.fewshot import validator
  from flaxheads.metrics import networks

  arcface = evaluators.arcface
  if arcface and arcface.mark in (networks.RANDOM, networks.PROXY):
    arcface = None
  return validator.assemble(model, evaluators.detection, arcface)
