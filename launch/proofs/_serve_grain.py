"""Our side of pipeline_speed: DATASET DATA_DIR WORKERS BATCH CORE."""

import sys

from absl import flags

from launch.proofs import _records256 as records256
from launch.proofs import _served


def _serve(dataset, data_dir, workers, batch_size, core):
  _served.pin(int(core))
  flags.FLAGS.mark_as_parsed()  # grain reads flags
  from flaxheads.data import pipeline, records

  source = pipeline.make_source(dataset, data_dir, 'train')
  frames, _ = records.decode_frames(source[0], [0], records256.IMAGE_SIZE)
  batches = pipeline.sample_iterator(
    source,
    num_support=records256.NUM_SUPPORT,
    batch_size=int(batch_size),
    image_size=records256.IMAGE_SIZE,
    seed=0,
    num_workers=int(workers),
  )
  facts = {'decoder': 'OpenCV', 'mean': float(frames.mean())}
  _served.serve(batches, facts, warm_up=6)


if __name__ == '__main__':
  _serve(*sys.argv[1:])
