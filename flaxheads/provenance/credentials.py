"""Content Credentials: signed C2PA manifests in PNG and MP4 files.

A manifest states a file's origin, bound to its bytes by a signature (C2PA 2.2,
c2pa.org/specifications). Nothing here uses the network: there is no timestamp
and no check for revoked certificates.
"""

import dataclasses
import importlib.metadata
import io
import json
import os
import tempfile
from pathlib import Path

import c2pa

from flaxheads.errors import UserError
from flaxheads.provenance.identity import Identity

_OURS = 'org.flaxheads'
ASSERTION = f'{_OURS}.generation'
_OF_ACTION = ('model', 'model_sha256', 'method', 'num_shots')
_SOURCE_TYPES = 'http://cv.iptc.org/newscodes/digitalsourcetype/'
TRAINED = f'{_SOURCE_TYPES}trainedAlgorithmicMedia'
COMPOSITE = f'{_SOURCE_TYPES}compositeWithTrainedAlgorithmicMedia'
ALGORITHMIC = f'{_SOURCE_TYPES}algorithmicMedia'
# Of what people did not film: all of these say "made by a machine".
SYNTHETIC_TYPES = frozenset(
  f'{_SOURCE_TYPES}{name}'
  for name in (
    'trainedAlgorithmicMedia',
    'compositeWithTrainedAlgorithmicMedia',
    'algorithmicMedia',
    'compositeSynthetic',
  )
)
MIME_TYPES = {
  '.png': 'image/png',
  '.mp4': 'video/mp4',
  '.m4v': 'video/mp4',
  '.mov': 'video/quicktime',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.webp': 'image/webp',
  '.avif': 'image/avif',
  '.tif': 'image/tiff',
  '.tiff': 'image/tiff',
  '.avi': 'video/avi',
}
MAX_BYTES = 4 << 30
_OFFLINE = {
  'verify': {'remote_manifest_fetch': False, 'ocsp_fetch': False},
  'builder': {'thumbnail': {'enabled': False}},
}
# Codes of C2PA 2.2, section 15.2, that say: the file is as it was signed, and
# only the signer's certificate is not to be believed (any more).
_ABOUT_THE_SIGNER = {
  'signingCredential.untrusted': 'the signer is not known here',
  'signingCredential.expired': 'the certificate has expired',
  'claimSignature.outsideValidity': 'the certificate has expired',
  'signingCredential.invalid': 'the certificate is not fit for signing',
}


def version() -> str:
  """Version of this package; 'unknown' in a tree that is not installed."""
  try:
    return importlib.metadata.version('flaxheads')
  except importlib.metadata.PackageNotFoundError:
    return 'unknown'


@dataclasses.dataclass(frozen=True)
class Origin:
  """What a manifest says.

  Attributes:
    source_type: TRAINED, COMPOSITE or ALGORITHMIC.
    facts: JSON values for our assertion: model, method, payload, ingredients.
  """

  source_type: str
  facts: dict

  def manifest(self, title: str) -> dict:
    """The manifest definition of a file called `title`."""
    agent = {'name': 'flaxheads', 'version': version()}
    created = {
      'action': 'c2pa.created',
      'softwareAgent': agent,
      'digitalSourceType': self.source_type,
    }
    known = {key: self.facts[key] for key in _OF_ACTION if key in self.facts}
    if known:
      created['parameters'] = {f'{_OURS}.{key}': known[key] for key in known}
    return {
      'title': title,
      'claim_generator_info': [agent],
      'assertions': [
        {'label': 'c2pa.actions.v2', 'data': {'actions': [created]}},
        {'label': ASSERTION, 'data': {**self.facts, 'flaxheads': version()}},
      ],
    }


@dataclasses.dataclass(frozen=True)
class Credentials:
  """What was read from a file.

  Attributes:
    state: 'trusted', 'untrusted', 'altered' or 'absent'.
    remark: why, in words; '' where there is nothing to add.
    signer: organisation and name of the certificate, '' if absent.
    source_type: digital source type of the action that made the file, or ''.
    facts: our own assertion, {} in files of other programs.
  """

  state: str
  remark: str = ''
  signer: str = ''
  source_type: str = ''
  facts: dict = dataclasses.field(default_factory=dict)

  @property
  def intact(self) -> bool:
    """Whether the file is as it was signed, by whomever."""
    return self.state in ('trusted', 'untrusted')


def sign(
  path: str | os.PathLike, origin: Origin, identity: Identity, title: str = ''
) -> None:
  """Puts a signed manifest into a PNG or MP4 file, in place.

  The file is either signed or as it was.

  Args:
    path: the file.
    origin: what the manifest says.
    identity: who signs.
    title: name of the file in the manifest; '': that of `path`.

  Raises:
    UserError: the certificate is none that C2PA takes.
  """
  path = Path(path)
  named = title or path
  descriptor, name = tempfile.mkstemp(
    prefix=f'{path.stem}-', suffix=path.suffix, dir=path.parent
  )
  raw = _Target(descriptor, 'w+b')
  try:
    with open(path, 'rb') as source, io.BufferedRandom(raw) as target:
      _sign_stream(path, origin, identity, title or path.name, source, target)
    os.chmod(name, path.stat().st_mode & 0o777)
    os.replace(name, path)
  except (OSError, c2pa.C2paError.Io) as error:
    reason = raw.error or error
    raise UserError(f'{named}: cannot be signed ({reason})') from None
  except c2pa.C2paError as error:
    if raw.error:
      raise UserError(f'{named}: cannot be signed ({raw.error})') from None
    raise UserError(
      f'--signing_cert: C2PA does not take this certificate ({error})'
    ) from None
  finally:
    Path(name).unlink(missing_ok=True)


class _Target(io.FileIO):
  """Remembers why it could not be written: the library does not say."""

  error: OSError | None = None

  def write(self, data):
    try:
      return super().write(data)
    except OSError as error:
      self.error = error
      raise


def _sign_stream(path, origin, identity, title, source, target):
  # Without a timestamp authority (None): signing needs no network.
  info = c2pa.C2paSignerInfo(
    identity.algorithm.encode(), identity.chain, identity.key, None
  )
  with (
    c2pa.Context.from_dict(_OFFLINE) as context,
    c2pa.Signer.from_info(info) as signer,
    c2pa.Builder(origin.manifest(title), context=context) as builder,
  ):
    mime = MIME_TYPES[path.suffix.lower()]
    builder.sign(signer, mime, source, target)


def read(path: str | os.PathLike, roots: bytes = b'') -> Credentials:
  """Reads and checks the credentials of a file.

  Args:
    path: an image or video.
    roots: PEM of the certificates that are believed.

  Raises:
    UserError: the file cannot be read, or is too large.
  """
  path = Path(path)
  mime = MIME_TYPES.get(path.suffix.lower())
  if mime is None:
    return Credentials('absent', 'a kind of file without credentials')
  settings = dict(_OFFLINE)
  if roots:
    settings['trust'] = {'user_anchors': roots.decode()}
  try:
    if path.stat().st_size > MAX_BYTES:
      raise UserError(f'{path}: larger than {MAX_BYTES >> 30} GiB; cut it')
    with (
      c2pa.Context.from_dict(settings) as context,
      open(path, 'rb') as file,
      c2pa.Reader(mime, file, context=context) as reader,
    ):
      state, store = reader.get_validation_state(), json.loads(reader.json())
  except c2pa.C2paError.ManifestNotFound:
    return Credentials('absent')
  except c2pa.C2paError as error:
    return _unreadable(path, str(error))
  except OSError as error:
    raise UserError(f'{path}: cannot be read ({error.strerror})') from None
  return _judge(state, store)


def _unreadable(path: Path, message: str) -> Credentials:
  # A file without a trace of a manifest store has none, damaged or not.
  with open(path, 'rb') as file:
    while chunk := file.read(1 << 24):
      if b'c2pa' in chunk:
        return Credentials('altered', 'its credentials are damaged')
  return Credentials('absent', 'damaged, or not what its name says')


def _judge(state: str, store: dict) -> Credentials:
  try:
    return _weigh(state, store)
  except (AttributeError, TypeError):  # a store of another shape
    return Credentials('altered', 'its credentials are damaged')


def _weigh(state: str, store: dict) -> Credentials:
  manifest = store.get('manifests', {}).get(store.get('active_manifest')) or {}
  facts, source_type = {}, ''
  for assertion in manifest.get('assertions', []):
    data = assertion.get('data')
    if assertion.get('label') == ASSERTION and isinstance(data, dict):
      facts = data
    elif str(assertion.get('label')).startswith('c2pa.actions'):
      source_type = source_type or _source_type(data)
  codes = {status.get('code') for status in store.get('validation_status', [])}
  signature = manifest.get('signature_info') or {}
  names = (signature.get(key) for key in ('issuer', 'common_name'))
  signer = ', '.join(str(name) for name in names if name)
  if codes - set(_ABOUT_THE_SIGNER):
    remark = 'changed since it was signed (' + ', '.join(sorted(codes)) + ')'
    return Credentials('altered', remark, signer, source_type, facts)
  if state == 'Trusted':
    return Credentials('trusted', '', signer, source_type, facts)
  remarks = {_ABOUT_THE_SIGNER[code] for code in codes}
  if len(remarks) > 1:  # an expired signer is never a known one
    remarks.discard(_ABOUT_THE_SIGNER['signingCredential.untrusted'])
  if state != 'Valid' and not remarks:
    return Credentials('altered', 'not valid', signer, source_type, facts)
  return Credentials(
    'untrusted', ' and '.join(sorted(remarks)), signer, source_type, facts
  )


def _source_type(data) -> str:
  actions = data.get('actions', []) if isinstance(data, dict) else []
  for action in actions:
    if isinstance(action, dict) and action.get('digitalSourceType'):
      return str(action['digitalSourceType'])
  return ''
