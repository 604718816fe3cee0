"""How far two implementations are apart, and how far they may be."""

import jax
import numpy as np
from flax import traverse_util

WANTED = {'float32': 1e-4, 'float64': 1e-6}  # relative
KINKS = 1e-2  # relative, of one leaf in float32
_ROUNDING = 1.2e-7  # float32's own: nearer than that, distances say nothing


def differences(ours, theirs):
  """Relative differences of all leaves, the largest first, and which.

  A leaf's difference is divided by its norm; where that is less than a
  thousandth of the largest leaf's, as for a bias in front of an instance
  normalisation, whose gradient is zero but for rounding, by that.
  """
  ours = traverse_util.flatten_dict(jax.tree.map(np.asarray, ours))
  theirs = traverse_util.flatten_dict(theirs)
  assert set(ours) == set(theirs)
  norms = {path: np.linalg.norm(leaf) for path, leaf in ours.items()}
  assert all(np.isfinite(norm) for norm in norms.values())
  least = 1e-3 * max(norms.values())
  assert least > 0
  return sorted(
    (
      (
        np.linalg.norm(ours[path] - theirs[path]) / max(norms[path], least),
        '/'.join(path),
      )
      for path in ours
    ),
    reverse=True,
  )


def check(what, ours, theirs, most):
  found = differences(ours, theirs)
  print(f'{what}: {found[0][0]:.1e} in {found[0][1]}')
  assert found[0][0] <= most


def _middle(ours, theirs):
  found = differences(ours, theirs)
  return found[len(found) // 2][0]


def nearness(what, ours, theirs, dtype, exact=None):
  """Checks every leaf; in float32, against the same numbers of float64.

  Two programs of float32 may be on two sides of a kink, and neither is wrong.
  There every leaf of ours must be within KINKS of `exact`.

  Returns:
    Within what distance from `exact` half of the leaves are, ours and the
    reference's; zeros in float64.
  """
  if dtype == 'float64':
    check(what, ours, theirs, WANTED[dtype])
    return 0.0, 0.0
  check(f'{what}, from float64', exact, ours, KINKS)
  mine, reference = _middle(exact, ours), _middle(exact, theirs)
  print(f'  half of its leaves: ours {mine:.1e}, PyTorch {reference:.1e}')
  return mine, reference


def check_nearness(found):
  """Checks results of `nearness` for one input, or for several.

  One input may cross more kinks here than there, and distances spread over
  orders of magnitude: their geometric mean counts. Ours may be three times as
  far as the reference's, or within rounding.
  """
  if not np.any(found):  # all of float64, or equal to the bit
    return
  found = np.maximum(np.reshape(found, (-1, 2)), 1e-20)
  mine, reference = np.exp(np.log(found).mean(0))
  print(f'  of all inputs: ours {mine:.1e}, PyTorch {reference:.1e}')
  assert mine <= max(3 * reference, _ROUNDING)


def check_terms(ours, theirs, dtype):
  for name, term in ours.items():
    found = abs(float(term) - float(theirs[name])) / abs(float(term))
    print(f'{name}: {float(term):.4f}, {found:.1e}')
    assert found <= WANTED[dtype]
