"""PyTorch beside JAX: torchvision is made importable whatever its wheel."""

try:
  import torch
except ImportError:  # the tests say how to get it, and are skipped
  torch = None


def _import_torchvision():
  # A wheel of torchvision that was built for another variant of torch (CPU or
  # CUDA) lacks its compiled operators. Nothing here needs them, but their
  # names must be known.
  try:
    import torchvision
  except RuntimeError:
    library = torch.library.Library('torchvision', 'DEF')
    for name in ('nms', 'qnms'):
      library.define(f'{name}(Tensor boxes, Tensor scores, float f) -> Tensor')
    import torchvision  # noqa: F401

    return library
  except ImportError:
    pass


# Held, because operators go with the library that defines them.
_LIBRARY = _import_torchvision() if torch else None
