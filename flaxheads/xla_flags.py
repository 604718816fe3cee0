"""XLA's settings for every program, to be applied before its backend starts.

XLA for GPUs makes Triton fusions of normalisations, whose tilings it then
searches: the training step of configs/tiny.py did not compile in six minutes
that way, and takes 45 s without (jaxlib 0.10.2, two CPU cores, 2026-11-29). The
pass does not exist on other devices, where the flag does nothing.

Nor are matrix products compiled by Triton: for those of jax.image.resize it
finds no tiles, and the compilation fails (H200 and A100 that were not present).
cuBLAS computes them instead. An XLA that does not know a flag ends the process,
so that this one is set only where JAX's CUDA plugin is installed.
"""

import importlib.util
import os

CUDA_PLUGINS = ('jax_cuda12_plugin', 'jax_cuda13_plugin')
_SLOW_PASS = ('--xla_disable_hlo_passes', 'triton-softmax-rewriter')
_TRITON_PRODUCTS = ('--xla_gpu_enable_triton_gemm', 'false')


def has_cuda_plugin() -> bool:
  """Whether JAX can compile for NVIDIA's GPUs here, present or not."""
  return any(importlib.util.find_spec(name) for name in CUDA_PLUGINS)


def set_defaults() -> None:
  """Adds to XLA_FLAGS what the user has not decided there."""
  flags = [_SLOW_PASS, _TRITON_PRODUCTS] if has_cuda_plugin() else [_SLOW_PASS]
  for name, value in flags:
    given = os.environ.get('XLA_FLAGS', '')
    if name not in given:
      os.environ['XLA_FLAGS'] = f'{given} {name}={value}'.strip()
