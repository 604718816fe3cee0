"""Small model at 64² on one's own folder of videos.

python -m launch.prepare --dataset=video_folder --source=clips/ \
      --data_dir=data_dir
python -m launch.train --config=configs/video_folder_64.py --workdir=runs/v64
"""

from configs import synthetic_64
from flaxheads import config as c


def get_config() -> c.Config:
  """Returns the experiment."""
  config = synthetic_64.get_config()
  config.data.dataset = 'video_folder'
  config.augment = c.AugmentConfig()
  return config
