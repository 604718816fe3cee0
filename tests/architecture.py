"""The house rules that a reader can rely on, checked on source code.

`check` takes sources by path and returns complaints, so that the rules can be
shown to fail on small bad sources as well as to hold for the repository.
"""

import ast
import collections
import graphlib
import re

MAX_LINES = 300  # of a module
MAX_TEST_LINES = 350  # of a module of tests
MAX_FUNCTION_LINES = 60  # without the docstring; tests are exempt
# Over a limit today; an entry goes when its module or function is split.
OVER_A_LIMIT = {
  'flaxheads/data/scanned_heads/makehuman_people.py:build',
  'flaxheads/data/scanned_heads/identity.py:sample_person',
  'flaxheads/data/scanned_heads/lighting.py:sample_light',
  'flaxheads/data/scanned_heads/render.py',
  'flaxheads/data/scanned_heads/shaders.py',
  'flaxheads/landmarks/face_networks.py',
  'flaxheads/landmarks/face_shape.py',
  'flaxheads/landmarks/head_mesh.py',
}

# Imports point downwards only. Packages of one line may import one another,
# in one direction.
LEVELS = (
  ('launch', 'configs', 'flaxheads.__main__'),
  ('flaxheads.web', 'flaxheads.api'),
  ('flaxheads.evaluation',),
  ('flaxheads.experiments', 'flaxheads.programs'),
  ('flaxheads.baselines', 'flaxheads.face_identity'),
  ('flaxheads.fewshot',),
  ('flaxheads.speech',),
  ('flaxheads.training',),
  ('flaxheads.networks', 'flaxheads.bilayer_networks'),
  (
    'flaxheads.data',
    'flaxheads.models',
    'flaxheads.metrics',
    'flaxheads.provenance',
  ),
  ('flaxheads.landmarks', 'flaxheads.weights'),
  (
    'flaxheads',
    'flaxheads.config',
    'flaxheads.config_parts',
    'flaxheads.bilayer_config',
    'flaxheads.errors',
    'flaxheads.lazy_exports',
    'flaxheads.platforms',
    'flaxheads.quick_jit',
    'flaxheads.xla_flags',
    'flaxheads.pages',
  ),
)
HEIGHT = {
  package: -row for row, packages in enumerate(LEVELS) for package in packages
}

UNPICKLERS = {'pickle', '_pickle', 'cloudpickle', 'dill', 'joblib', 'shelve'}
SAFE_LOADS = {
  'numpy.load': ('allow_pickle', False),
  'jax.numpy.load': ('allow_pickle', False),
  'torch.load': ('weights_only', True),
}
DEVICE_NAMES = {
  'devices',
  'local_devices',
  'device_count',
  'local_device_count',
  'pmap',
  'shard_map',
  'make_mesh',
  'Mesh',
}
COLLECTIVES = {
  'psum',
  'pmean',
  'pmax',
  'pmin',
  'psum_scatter',
  'all_gather',
  'all_to_all',
  'ppermute',
  'axis_index',
}
VIDEO_FILE = 'flaxheads/data/video.py'
WRITER_FILE = 'flaxheads/data/video_writer.py'
# Opens files through the former, and adds sound to what it wrote.
SOUND_FILE = 'flaxheads/data/sound.py'
CONTAINER_FILE = 'flaxheads/data/container.py'
AV_FILES = (VIDEO_FILE, WRITER_FILE, SOUND_FILE, CONTAINER_FILE)
DEVICE_FILE = 'flaxheads/training/parallel.py'


def package_of(module):
  """The row of LEVELS that a module belongs to; None if of another project."""
  top, *rest = module.split('.')
  if top in ('launch', 'configs'):
    return top
  if top == 'flaxheads':
    return f'flaxheads.{rest[0]}' if rest else 'flaxheads'
  return None


def _module(path):
  return path.removesuffix('.py').removesuffix('/__init__').replace('/', '.')


def _imports(path, tree):
  """Yields (line, dotted name, local name) of every import, also inner ones."""
  here = _module(path).split('.')
  if not path.endswith('/__init__.py'):
    here = here[:-1]
  for node in ast.walk(tree):
    if isinstance(node, ast.Import):
      for alias in node.names:
        # `import a.b` binds a; `import a.b as c` binds a.b to c.
        local = alias.asname or alias.name.partition('.')[0]
        yield node.lineno, alias.name, local
    elif isinstance(node, ast.ImportFrom):
      base = [node.module] if node.module else []
      if node.level:
        base = here[: len(here) - node.level + 1] + base
      for alias in node.names:
        name = '.'.join([*base, alias.name])
        yield node.lineno, name, alias.asname or alias.name


def _uses(path, tree):
  """Yields (line, dotted name, node) of names and attributes, unaliased."""
  aliases = {}
  for _, name, local in _imports(path, tree):
    aliases[local] = name if not name.startswith(f'{local}.') else local

  def dotted(node):
    if isinstance(node, ast.Attribute):
      base = dotted(node.value)
      return base and f'{base}.{node.attr}'
    return aliases.get(node.id) if isinstance(node, ast.Name) else None

  for node in ast.walk(tree):
    if isinstance(node, ast.Attribute | ast.Name) and dotted(node):
      yield node.lineno, dotted(node), None
    elif isinstance(node, ast.Call) and dotted(node.func):
      yield node.lineno, dotted(node.func), node


def _check_layers(path, tree):
  package = package_of(_module(path))
  if package not in HEIGHT:
    yield 1, f'{package} has no level: add it to LEVELS'
    return
  for line, name, _ in _imports(path, tree):
    target = package_of(name)
    if target in ('flaxheads', None):
      continue
    if target not in HEIGHT:
      # `from flaxheads import name`: a name of the root, or a package
      # without a level, which is reported where it lies.
      continue
    if HEIGHT[target] > HEIGHT[package]:
      yield line, f'{package} imports {target}, which lies above it'


def _check_single_owners(path, tree):
  in_launch = path.startswith('launch/')
  for line, name, _ in _imports(path, tree):
    top = name.split('.')[0]
    if top == 'av' and path not in AV_FILES:
      yield line, f'imports av; only {VIDEO_FILE} reads and writes video'
    if not in_launch and (
      name.startswith(('absl.flags', 'absl.app'))
      or name.startswith('ml_collections.config_flags')
    ):
      yield line, f'imports {name}; only launch/ knows flags'
  for line, name, call in _uses(path, tree):
    if call is not None:
      continue
    top, last = name.split('.')[0], name.split('.')[-1]
    if top == 'jax' and last in DEVICE_NAMES and path != DEVICE_FILE:
      yield line, f'mentions {name}; only {DEVICE_FILE} knows devices'
    if name.startswith('jax.lax.') and last in COLLECTIVES:
      if not path.startswith('flaxheads/training/'):
        yield line, f'mentions {name}; collectives belong to training/'
    if name in ('cv2.VideoCapture', 'cv2.VideoWriter'):
      yield line, f'mentions {name}; only {VIDEO_FILE} does video'


def _check_no_pickle(path, tree):
  for line, name, _ in _imports(path, tree):
    if name.split('.')[0] in UNPICKLERS:
      yield line, f'imports {name}; no pickle'
  for line, name, call in _uses(path, tree):
    if call is None or name not in SAFE_LOADS:
      continue
    keyword, wanted = SAFE_LOADS[name]
    given = {k.arg: getattr(k.value, 'value', None) for k in call.keywords}
    if given.get(keyword) is not wanted:
      yield line, f'{name} without {keyword}={wanted}'


def _check_docstrings(path, tree):
  if not path.startswith('flaxheads/'):
    return
  if not path.endswith('__init__.py') and not ast.get_docstring(tree):
    yield 1, 'has no docstring'
  for node in tree.body:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
      if not node.name.startswith('_') and not ast.get_docstring(node):
        yield node.lineno, f'{node.name} has no docstring'


def _check_entry_point(path, tree):
  name = path.rsplit('/', 1)[-1]
  is_entry = path.startswith('launch/') and path != 'launch/app.py'
  if not is_entry or name.startswith('_'):
    return
  defined = {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
  guarded = [
    ast.unparse(node.body[0])
    for node in tree.body
    if isinstance(node, ast.If)
    and ast.unparse(node.test) == "__name__ == '__main__'"
  ]
  if 'main' not in defined or guarded != ['app.run(main)']:
    yield 1, "needs main() and, under __name__ == '__main__', app.run(main)"
  imported = {name for _, name, _ in _imports(path, tree)}
  if 'launch.app' not in imported:
    yield 1, 'does not take app from launch'


def _check_functions(path, tree):
  for node in ast.walk(tree):
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
      continue
    docstring = ast.get_docstring(node, clean=False) or ''
    length = node.end_lineno - node.lineno + 1 - len(docstring.splitlines())
    known = f'{path}:{node.name}' in OVER_A_LIMIT
    if length > MAX_FUNCTION_LINES and not known:
      what = f'{node.name} has {length} lines'
      yield node.lineno, f'{what}; {MAX_FUNCTION_LINES} are the most'


def _check_text(path, source):
  lines = source.splitlines()
  most = MAX_TEST_LINES if path.startswith('tests/') else MAX_LINES
  if len(lines) > most and path not in OVER_A_LIMIT:
    yield len(lines), f'has {len(lines)} lines; {most} are the most'
  for number, line in enumerate(lines, 1):
    if re.search(r'\b(TO[D]O|FIX[M]E)\b', line):
      yield number, 'leaves work for later; do it or open an issue'


def module_imports(trees: dict[str, ast.Module]) -> dict[str, set[str]]:
  """The graph of modules: what each imports of the others, at any depth.

  Args:
    trees: parsed sources by path.
  """
  modules = {_module(path): path for path in trees}
  graph = {}
  for module, path in modules.items():
    names = {name for _, name, _ in _imports(path, trees[path])}
    # `from a import b` is of the module a.b, or of a name in a.
    graph[module] = {
      name if name in modules else name.rpartition('.')[0] for name in names
    } & modules.keys() - {module}
  return graph


def _check_cycles(trees):
  """No module depends on itself through others, in one package or several."""
  try:
    graphlib.TopologicalSorter(module_imports(trees)).prepare()
  except graphlib.CycleError as error:
    yield f'modules import each other: {" <- ".join(error.args[1])}'


def _check_siblings(trees):
  """Packages of one level may depend on one another one way only."""
  arrows = collections.defaultdict(list)
  for path, tree in trees.items():
    package = package_of(_module(path))
    for line, name, _ in _imports(path, tree):
      arrows[package, package_of(name)].append(f'{path}:{line}')
  for (package, target), places in sorted(arrows.items(), key=str):
    same_level = HEIGHT.get(package) == HEIGHT.get(target)
    if same_level and target and package < target:
      if back := arrows.get((target, package)):
        pair = f'{package} and {target} import each other'
        yield f'{places[0]}: {pair} ({back[0]})'


RULES = (
  _check_layers,
  _check_single_owners,
  _check_no_pickle,
  _check_docstrings,
  _check_functions,
  _check_entry_point,
)


def check(sources):
  """Returns the complaints about sources, a dict of text by path."""
  trees = {path: ast.parse(text, path) for path, text in sources.items()}
  complaints = set()
  for path, tree in trees.items():
    found = [*_check_text(path, sources[path])]
    if not path.startswith('tests/'):
      for rule in RULES:
        found += rule(path, tree)
    complaints.update(f'{path}:{line}: {text}' for line, text in found)
  packages = {p: t for p, t in trees.items() if not p.startswith('tests/')}
  return sorted(
    [*complaints, *_check_siblings(packages), *_check_cycles(packages)]
  )
