"""Converts published weight files to safetensors with their provenance."""

import hashlib
from collections.abc import Sequence

from flaxheads.errors import UserError
from flaxheads.weights import foreign, sources, store, tensors
from flaxheads.weights.source import Part, Source


def hash_file(path: str) -> str:
  """SHA-256 of a file, hexadecimal.

  Raises:
    UserError: it cannot be read.
  """
  try:
    with open(path, 'rb') as file:
      return hashlib.file_digest(file, 'sha256').hexdigest()
  except OSError as error:
    raise UserError(
      f'{path}: cannot be read ({error.strerror}); a weight file is needed'
    ) from None


def check_hash(path: str, name: str, part: Part, sha256: str, vouched) -> str:
  """Says who confirms a file.

  Args:
    path: for the message.
    name: of the source.
    part: what the file should be.
    sha256: of the file.
    vouched: hashes that the user trusts.

  Returns:
    store.PUBLISHER or store.USER.

  Raises:
    UserError: neither does.
  """
  if part.sha256 and sha256.startswith(part.sha256):
    return store.PUBLISHER
  if sha256 in vouched:
    return store.USER
  owner = sources.owner_of(sha256)
  if owner:
    raise UserError(f'{path}: the published file of {owner}, not of {name}')
  if part.sha256:
    known = f'its publisher gives {part.sha256}'
    if len(part.sha256) < 64:
      known += '... (the first digits)'
  else:
    known = 'its publisher gives none to compare'
  raise UserError(
    f'{path}: SHA-256 {sha256}; {known}; if you trust this file, add'
    f' --sha256={sha256}'
  )


def _verify(name, source, files, vouched):
  """SHA-256 of every file, and who confirms all of them."""
  for given in vouched:
    if len(given) != 64 or set(given) - set('0123456789abcdef'):
      raise UserError(
        f'--sha256={given[:80]}: 64 hexadecimal digits in lower case are needed'
      )
  hashes = [hash_file(file) for file in files]
  for given in set(vouched) - set(hashes):
    raise UserError(
      f'--sha256={given}: not that of {files[0]}, which is {hashes[0]}'
    )
  by = {
    check_hash(file, name, part, sha256, vouched)
    for file, part, sha256 in zip(files, source.parts, hashes, strict=True)
  }
  return hashes, store.USER if store.USER in by else store.PUBLISHER


def _to_tree(name: str, source: Source, files, like):
  where = ' and '.join(files)
  try:
    tree = source.layout(*(foreign.read(file) for file in files))
  except UserError:
    raise
  # LayoutError is a ValueError; tensors whose shapes or names do not go
  # together make numpy and dict raise the others.
  except (ValueError, TypeError, AttributeError) as error:
    reason = str(error).split('\n')[0][:200]
    raise UserError(f'{where}: not the weights of {name}: {reason}') from None
  tensors.check_like(where, tree, like)
  return tree


def convert(
  name: str, files: Sequence[str], output, like, vouched: Sequence[str] = ()
) -> dict[str, str]:
  """Converts the files of a source.

  Args:
    name: one of sources.SOURCES.
    files: as many as the source has, in its order.
    output: the safetensors file to write.
    like: tree of the network's shapes.
    vouched: SHA-256 of files that the user trusts.

  Returns:
    The metadata of the written file.

  Raises:
    UserError: another number of files, unconfirmed files, or not the
      weights of this network.
  """
  source = sources.find_source('--as', name)
  files = [str(file) for file in files]
  if len(files) != len(source.parts):
    wanted = ' and '.join(
      part.member or part.url.rsplit('/', 1)[-1] for part in source.parts
    )
    raise UserError(
      f'--convert: {len(files)} given; {name} is made from {wanted}'
    )
  hashes, verified_by = _verify(name, source, files, vouched)
  tree = _to_tree(name, source, files, like)
  return store.save(
    output,
    source.network,
    tree,
    source.convention,
    source=' '.join(part.url for part in source.parts),
    sha256=' '.join(hashes),
    verified_by=verified_by,
    licence=source.licence,
  )
