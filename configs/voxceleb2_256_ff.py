"""The paper's feed-forward model: no L_MCH, 150 epochs. Not yet run."""

from configs import voxceleb2_256


def get_config():
  """Returns the experiment."""
  config = voxceleb2_256.get_config()
  config.loss.match = 0.0
  config.training.num_steps *= 2
  return config
