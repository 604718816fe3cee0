"""What a step of training gets."""

from typing import NamedTuple

import numpy as np


class Batch(NamedTuple):
  """B samples of one video each; frame K is the target, the others support."""

  frames: np.ndarray  # uint8 RGB [B, K+1, S, S, 3]
  points: np.ndarray  # float32 [B, K+1, 68, 2], pixels
  video_index: np.ndarray  # int32 [B], which record of all; its row of W
