"""The signer: the installation's own key, or an organisation's.

The key and its certificate are made at first use and stay in one folder of the
user's configuration. The root that signs the certificate is used once and its
key is not stored, so no other certificate can be signed with it.
"""

import datetime
import os
import stat
import tempfile
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509 import oid

from flaxheads.errors import UserError

IDENTITY_FILE = 'signing.pem'
TRUSTED_FOLDER = 'trusted'
_YEARS = 10  # nothing offline proves when a file was signed: see docs/trust.md
_MAX_BYTES = 1 << 20
_CURVES = {'secp256r1': 'es256', 'secp384r1': 'es384', 'secp521r1': 'es512'}


class Identity(NamedTuple):
  """What signs.

  Attributes:
    algorithm: as C2PA names it: es256, es384, es512, ps256 or ed25519.
    chain: PEM, the signer's certificate first.
    key: PEM, PKCS #8, not encrypted.
  """

  algorithm: str
  chain: bytes
  key: bytes


def home() -> Path:
  """The configuration folder: FLAXHEADS_HOME, or flaxheads in XDG's."""
  given = os.environ.get('FLAXHEADS_HOME')
  if given:
    return Path(given).expanduser()
  base = os.environ.get('XDG_CONFIG_HOME') or '~/.config'
  return Path(base).expanduser() / 'flaxheads'


def _name(common_name: str) -> x509.Name:
  # No user or machine name: what is signed travels.
  return x509.Name(
    [
      x509.NameAttribute(oid.NameOID.ORGANIZATION_NAME, 'flaxheads'),
      x509.NameAttribute(oid.NameOID.COMMON_NAME, common_name),
    ]
  )


def _builder(subject, issuer, public_key, start, end):
  return (
    x509.CertificateBuilder()
    .subject_name(_name(subject))
    .issuer_name(_name(issuer))
    .public_key(public_key)
    .serial_number(x509.random_serial_number())
    .not_valid_before(start)
    .not_valid_after(end)
    .add_extension(
      x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False
    )
  )


def _usage(for_root: bool) -> x509.KeyUsage:
  return x509.KeyUsage(
    digital_signature=not for_root,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=for_root,
    crl_sign=for_root,
    encipher_only=False,
    decipher_only=False,
  )


def make_identity(
  start: datetime.datetime | None = None, end: datetime.datetime | None = None
) -> Identity:
  """A fresh P-256 key with a certificate under a root of its own.

  The profile is that of C2PA 2.2, section 14.5.1: a signer's certificate may
  not be its own root, and names what it may be used for.

  Args:
    start: of validity; None: a day ago, for clocks that differ.
    end: of validity; None: in ten years.
  """
  now = datetime.datetime.now(datetime.UTC)
  start = start or now - datetime.timedelta(days=1)
  end = end or now + datetime.timedelta(days=365 * _YEARS)
  root_key = ec.generate_private_key(ec.SECP256R1())
  key = ec.generate_private_key(ec.SECP256R1())
  number = x509.random_serial_number() % 10**8
  root_name = f'flaxheads installation {number:08}'
  root = (
    _builder(root_name, root_name, root_key.public_key(), start, end)
    .add_extension(x509.BasicConstraints(True, 0), critical=True)
    .add_extension(_usage(True), critical=True)
    .sign(root_key, hashes.SHA256())
  )
  authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(
    root_key.public_key()
  )
  email = x509.ExtendedKeyUsage([oid.ExtendedKeyUsageOID.EMAIL_PROTECTION])
  leaf = (
    _builder('flaxheads signer', root_name, key.public_key(), start, end)
    .add_extension(x509.BasicConstraints(False, None), critical=True)
    .add_extension(_usage(False), critical=True)
    .add_extension(email, critical=False)
    .add_extension(authority, critical=False)
    .sign(root_key, hashes.SHA256())
  )
  pem = serialization.Encoding.PEM
  return Identity(
    'es256',
    leaf.public_bytes(pem) + root.public_bytes(pem),
    key.private_bytes(
      pem,
      serialization.PrivateFormat.PKCS8,
      serialization.NoEncryption(),
    ),
  )


def _read(path: Path, what: str) -> bytes:
  try:
    if path.stat().st_size > _MAX_BYTES:
      raise UserError(f'{path}: larger than 1 MiB; give {what} as PEM')
    return path.read_bytes()
  except OSError as error:
    raise UserError(
      f'{path}: cannot be read ({error.strerror}); give {what} as PEM'
    ) from None


def _algorithm(path: Path, key) -> str:
  if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
    return _CURVES[key.curve.name]
  if isinstance(key, rsa.RSAPrivateKey):
    return 'ps256'
  if isinstance(key, ed25519.Ed25519PrivateKey):
    return 'ed25519'
  raise UserError(
    f'{path}: C2PA does not know this kind of key; give one of P-256, P-384, '
    'P-521, RSA or Ed25519'
  )


def load_identity(cert: str | os.PathLike, key: str | os.PathLike) -> Identity:
  """Reads a certificate chain and its private key, both PEM.

  Args:
    cert: the signer's certificate first, then those that signed it.
    key: not encrypted. It may be the same file.

  Raises:
    UserError: unreadable, not a pair, or not valid now.
  """
  cert, key = Path(cert).expanduser(), Path(key).expanduser()
  chain = _chain(cert)
  data = _read(key, 'a private key')
  try:
    private = serialization.load_pem_private_key(data, password=None)
  except (ValueError, TypeError):
    raise UserError(
      f'{key}: holds no private key in PEM that can be read; it must not be '
      'encrypted'
    ) from None
  algorithm = _algorithm(key, private)
  if private.public_key() != chain[0].public_key():
    raise UserError(f'{key}: is not the key of the first certificate in {cert}')
  now = datetime.datetime.now(datetime.UTC)
  if not chain[0].not_valid_before_utc <= now <= chain[0].not_valid_after_utc:
    raise UserError(
      f'{cert}: valid from {chain[0].not_valid_before_utc:%Y-%m-%d} to '
      f'{chain[0].not_valid_after_utc:%Y-%m-%d}, not now; give a valid one'
    )
  pem = serialization.Encoding.PEM
  return Identity(
    algorithm,
    b''.join(certificate.public_bytes(pem) for certificate in chain),
    private.private_bytes(
      pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ),
  )


def _write_new(path: Path, data: bytes) -> None:
  """Writes a file of mode 0600 that is not there; another's stays."""
  descriptor, name = tempfile.mkstemp(dir=path.parent)  # of mode 0600
  try:
    with os.fdopen(descriptor, 'wb') as file:
      file.write(data)
    try:
      os.link(name, path)  # unlike a rename, never over what is there
    except FileExistsError:
      pass  # another process was first; its key is as good
  finally:
    os.unlink(name)


def installation() -> Identity:
  """The identity of this installation, made at first use.

  Raises:
    UserError: the folder cannot be written, or others may read the key.
  """
  folder = home()
  path = folder / IDENTITY_FILE
  try:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists() and _expired(path):
      _retire(path)
    if not path.exists():
      made = make_identity()
      _write_new(path, made.key + made.chain)
    mode = stat.S_IMODE(path.stat().st_mode)
  except OSError as error:
    raise UserError(
      f'{folder}: cannot keep the signing key there ({error.strerror}); name '
      'another folder with FLAXHEADS_HOME'
    ) from None
  if mode & 0o077:
    raise UserError(
      f'{path}: others may read this private key; run chmod 600 on it'
    )
  return load_identity(path, path)


def _chain(path: Path) -> list[x509.Certificate]:
  data = _read(path, 'certificates')
  try:
    return x509.load_pem_x509_certificates(data)
  except ValueError:
    raise UserError(f'{path}: holds no certificate in PEM') from None


def _expired(path: Path) -> bool:
  now = datetime.datetime.now(datetime.UTC)
  return _chain(path)[0].not_valid_after_utc < now


def _retire(path: Path) -> None:
  """Keeps the root of an expired identity, so that its files stay known."""
  trusted = path.parent / TRUSTED_FOLDER
  trusted.mkdir(exist_ok=True)
  root = _chain(path)[-1]
  _write_new(
    trusted / f'{root.serial_number:x}.pem',
    root.public_bytes(serialization.Encoding.PEM),
  )
  path.unlink(missing_ok=True)


def trusted_roots(extra: str | os.PathLike | None = None) -> bytes:
  """PEM of the roots believed here: our own, those of `trusted/`, and `extra`.

  Args:
    extra: a PEM file of more of them.
  """
  folder = home()
  pem = serialization.Encoding.PEM
  roots = []
  if (folder / IDENTITY_FILE).is_file():
    roots.append(_chain(folder / IDENTITY_FILE)[-1])
  for path in sorted((folder / TRUSTED_FOLDER).glob('*.pem')):
    roots += _chain(path)
  if extra:
    roots += _chain(Path(extra).expanduser())
  return b''.join(root.public_bytes(pem) for root in roots)
