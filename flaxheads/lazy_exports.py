"""Names of a package that are imported when they are first used (PEP 562).

So `import flaxheads` costs nothing, and animating a person does not
load what only fine-tuning needs.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def attach(
  package: str, homes: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
  """Makes `__getattr__`, `__dir__` and `__all__` of a package.

  Args:
    package: its `__name__`.
    homes: names by the module that defines them.
  """
  home = {name: module for module, names in homes.items() for name in names}

  def get(name: str):
    if name not in home:
      raise AttributeError(f'module {package!r} has no attribute {name!r}')
    return getattr(importlib.import_module(home[name]), name)

  return get, lambda: sorted(home), sorted(home)
