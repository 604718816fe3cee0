"""Each way to measure wrongly that we know of, made here, fails its own test.

python -m launch.proofs.metric_mistakes

As launch/proofs/mistakes.py, for what evaluation computes.
"""

from launch import app
from launch.proofs import _making, _metric_mutations


def main():
  """Makes them all."""
  _making.run(
    _metric_mutations.MUTATIONS,
    [_metric_mutations.FILE],
    'test_metric_mistake_',
  )


if __name__ == '__main__':
  app.run(main)
