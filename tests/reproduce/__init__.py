"""Reproduction scripts: each shows one claim of the README or the docs.

`make proof NAME=x` runs one, `make proof` lists them. The first line of a
script's docstring is the claim. A script prints what it measured and exits 0
if the claim holds. These take minutes to hours, so the test suite leaves them
out.
"""

import launch  # noqa: F401 (its settings have to precede JAX's import)
