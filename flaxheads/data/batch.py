"""The input of a training step."""

from typing import NamedTuple

import numpy as np


class Batch(NamedTuple):
  """B samples, one video each: K support frames, then the target frame."""

  frames: np.ndarray  # uint8 RGB [B, K+1, S, S, 3]
  points: np.ndarray  # float32 [B, K+1, 68, 2], pixels
  video_index: np.ndarray  # int32 [B], index of the record and row of W
