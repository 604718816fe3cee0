"""Draws the module map of docs/architecture.md from the imports.

python -m tests.module_map          # prints it
python -m tests.module_map --write  # writes it into the page
"""

import ast
import pathlib
import sys

from tests.architecture import LEVELS, module_imports, package_of

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / 'docs' / 'architecture.md'
_BEGIN = '<!-- module map: python -m tests.module_map --write -->\n'
_END = '<!-- end of the module map -->\n'


def package_imports() -> dict[str, set[str]]:
  """What each package imports of the others; a root module is a package."""
  trees = {
    str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding='utf-8'))
    for top in ('flaxheads', 'launch', 'configs')
    for path in (ROOT / top).rglob('*.py')
  }
  graph = {}
  for module, imported in module_imports(trees).items():
    package = package_of(module)
    of = {package_of(name) for name in imported} - {package, 'flaxheads'}
    graph.setdefault(package, set()).update(of)
  del graph['flaxheads']  # its names are those of the others
  return graph


def _reduce(graph):
  """Leaves out arrows that a longer way implies."""

  def reach(package):
    found = set()
    for target in graph[package]:
      found |= {target} | reach(target)
    return found

  return {
    package: targets - set().union(*map(reach, targets))
    for package, targets in graph.items()
  }


def draw() -> str:
  """The map as a Mermaid flowchart: a box for each level, arrows downwards."""
  graph = _reduce(package_imports())
  lines = ['flowchart TB']
  for number, level in enumerate(LEVELS):
    lines.append(f'  subgraph level{number}[ ]')
    for package in level:
      if package in graph:
        name = package.removeprefix('flaxheads.')
        lines.append(f'    {name}["{name}"]')
    lines.append('  end')
  for package in sorted(graph):
    for target in sorted(graph[package]):
      ends = (name.removeprefix('flaxheads.') for name in (package, target))
      lines.append(f'  {" --> ".join(ends)}')
  return '\n'.join(lines) + '\n'


def fill_in(page: str) -> str:
  """A page with the map between its two comments."""
  before, _, rest = page.partition(_BEGIN)
  _, _, after = rest.partition(_END)
  return f'{before}{_BEGIN}```mermaid\n{draw()}```\n{_END}{after}'


if __name__ == '__main__':
  if '--write' in sys.argv[1:]:
    page = PAGE.read_text(encoding='utf-8')
    PAGE.write_text(fill_in(page), encoding='utf-8')
  else:
    print(draw(), end='')
