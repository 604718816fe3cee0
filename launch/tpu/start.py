r"""Starts the training on all workers, as a service that outlives ssh.

python -m launch.tpu.start --name=heads --zone=us-west4-a \
  --config=configs/voxceleb2_256.py --workdir=gs://BUCKET/runs/heads \
  --train_flag=--config.data.data_dir=data_dir

A training that runs is told to save, and started anew with these flags. It
goes on from the newest checkpoint of its workdir.
"""

from launch import app
from launch.tpu import _flags, _remote

_TPU = _flags.tpu_flags()
_TRAINING = _flags.training_flags()


def main():
  """Starts."""
  tpu, training = _TPU(), _TRAINING()
  tpu.ssh(_remote.start(training))
  if not tpu.dry_run:
    print(f'{tpu.name}: started; python -m launch.tpu.follow shows the log')


if __name__ == '__main__':
  app.run(main)
