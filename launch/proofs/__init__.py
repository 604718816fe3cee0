"""Proofs: each module here shows one claim of the README, run by `make proof`.

The first line of a proof's docstring is the claim. A proof prints what it
measured and exits 0 where the claim holds.
"""

import ast
import pathlib


def list_proofs(folder: pathlib.Path | None = None) -> dict[str, str]:
  """Finds the proofs without importing them.

  Args:
    folder: where to look; None for this package.

  Returns:
    The first docstring line of each proof by its name, sorted by name.
  """
  folder = folder or pathlib.Path(__file__).parent
  claims = {}
  for path in sorted(folder.glob('[!_]*.py')):
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ''
    claims[path.stem] = docstring.partition('\n')[0]
  return claims
