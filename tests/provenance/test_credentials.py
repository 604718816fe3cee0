"""Signed files: what is read back, and what is noticed."""

import datetime
import io
import json
import os
import resource
import stat
import time

import c2pa
import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec

from flaxheads.data.image import read_image, write_png
from flaxheads.data.video import read_video
from flaxheads.data.video_writer import VideoWriter
from flaxheads.errors import UserError
from flaxheads.provenance import credentials, identity
from flaxheads.provenance.credentials import Origin, read, sign

MODEL = 'a-name-that-occurs-nowhere-by-chance'
FACTS = {'model': MODEL, 'ingredients': [{'name': 'a', 'sha256': 'b'}]}
ORIGIN = Origin(credentials.TRAINED, FACTS)
FRAMES = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), np.uint8)
DAY = datetime.timedelta(days=1)


@pytest.fixture(scope='module')
def signer():
  return identity.make_identity()


@pytest.fixture(scope='module')
def root(signer):
  return signer.chain[signer.chain.rindex(b'-----BEGIN') :]


@pytest.fixture(params=['.png', '.mp4'])
def signed(request, tmp_path, signer):
  path = tmp_path / f'file{request.param}'
  if request.param == '.png':
    write_png(path, FRAMES[0])
  else:
    with VideoWriter(path, 25) as writer:
      for frame in FRAMES:
        writer.write(frame)
  sign(path, ORIGIN, signer)
  return path


def test_what_is_signed_is_read(signed, root):
  found = read(signed, root)
  assert (found.state, found.remark, found.intact) == ('trusted', '', True)
  assert found.source_type == credentials.TRAINED
  assert found.facts == {**FACTS, 'flaxheads': credentials.version()}
  assert found.signer == 'flaxheads, flaxheads signer'
  assert os.listdir(signed.parent) == [signed.name]


def test_the_action_names_the_model_and_the_method(tmp_path, signer):
  facts = {'model': 'm', 'model_sha256': '12', 'method': 'fine-tuned'}
  path = tmp_path / 'a.png'
  write_png(path, FRAMES[0])
  sign(path, Origin(credentials.COMPOSITE, {**facts, 'x': 1}), signer)
  assert read(path).source_type == credentials.COMPOSITE
  with c2pa.Reader(str(path)) as reader:
    store = json.loads(reader.json())
  (action,) = [
    action
    for assertion in store['manifests'][store['active_manifest']]['assertions']
    if assertion['label'].startswith('c2pa.actions')
    for action in assertion['data']['actions']
  ]
  assert action['action'] == 'c2pa.created'
  assert action['parameters'] == {
    f'org.flaxheads.{key}': value for key, value in facts.items()
  }


def test_signing_changes_no_pixel(signed):
  if signed.suffix == '.png':
    np.testing.assert_array_equal(read_image(signed), FRAMES[0])
  else:
    assert np.shape(read_video(signed).frames) == FRAMES.shape


def test_a_stranger_is_untrusted(signed):
  found = read(signed, b'')
  assert (found.state, found.intact) == ('untrusted', True)
  assert found.remark == 'the signer is not known here'
  other = identity.make_identity().chain
  other_root = other[other.rindex(b'-----BEGIN') :]
  assert read(signed, other_root).state == 'untrusted'


def test_a_changed_byte_is_noticed(signed, root):
  data = bytearray(signed.read_bytes())
  mark = b'IDAT' if signed.suffix == '.png' else b'mdat'
  data[data.rindex(mark) + 60] ^= 1
  signed.write_bytes(data)
  found = read(signed, root)
  assert found.state == 'altered'
  assert 'Hash.mismatch' in found.remark


def test_a_changed_claim_is_noticed(signed, root):
  data = signed.read_bytes()
  name = MODEL.encode()
  action, assertion = data.index(name), data.rindex(name)
  assert data.count(name) == 2 and action != assertion
  for place in (action, assertion):
    changed = bytearray(data)
    changed[place] ^= 1
    signed.write_bytes(changed)
    assert read(signed, root).state == 'altered'


def test_damaged_credentials_are_altered_not_absent(signed, root):
  data = bytearray(signed.read_bytes())
  begin = data.index(b'jumb') + 4
  data[begin : begin + 40] = bytes(40)
  signed.write_bytes(data)
  assert read(signed, root).state == 'altered'


def _manifest_store(path):
  """The bytes of the caBX chunk of a PNG."""
  data = path.read_bytes()
  begin = data.index(b'caBX') - 4
  length = int.from_bytes(data[begin : begin + 4], 'big')
  return data[begin : begin + 12 + length]


def test_credentials_pasted_from_another_file_are_noticed(
  tmp_path, signer, root
):
  one, other = tmp_path / 'one.png', tmp_path / 'other.png'
  write_png(one, FRAMES[0])
  write_png(other, FRAMES[1])
  sign(one, ORIGIN, signer)
  data = other.read_bytes()
  end_of_header = 8 + 25  # signature, and IHDR with its length and CRC
  other.write_bytes(
    data[:end_of_header] + _manifest_store(one) + data[end_of_header:]
  )
  assert read(one, root).state == 'trusted'
  assert read(other, root).state == 'altered'


def test_files_without_credentials(tmp_path):
  write_png(tmp_path / 'plain.png', FRAMES[0])
  assert read(tmp_path / 'plain.png') == credentials.Credentials('absent')
  (tmp_path / 'text.png').write_text('To whom it may concern')
  assert read(tmp_path / 'text.png').state == 'absent'
  (tmp_path / 'empty.mp4').touch()
  assert read(tmp_path / 'empty.mp4').state == 'absent'
  (tmp_path / 'notes.txt').write_text('a note')
  assert read(tmp_path / 'notes.txt').state == 'absent'
  with pytest.raises(UserError, match=r'none\.png: cannot be read'):
    read(tmp_path / 'none.png')


def test_an_expired_certificate_is_named(tmp_path):
  """Nothing proves when it signed, so that it is not believed any more."""
  path = tmp_path / 'a.png'
  write_png(path, FRAMES[0])
  end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=4)
  signer = identity.make_identity(end=end.replace(microsecond=0))
  sign(path, ORIGIN, signer)
  # A certificate is good to the end of its last second.
  while datetime.datetime.now(datetime.UTC) <= end + DAY / 24 / 2400:
    time.sleep(0.2)
  found = read(path, signer.chain[signer.chain.rindex(b'-----BEGIN') :])
  assert (found.state, found.intact) == ('untrusted', True)
  assert 'expired' in found.remark


def test_an_expired_certificate_signs_nothing(tmp_path):
  now = datetime.datetime.now(datetime.UTC)
  old = identity.make_identity(now - 9 * DAY, now - DAY)
  (tmp_path / 'cert.pem').write_bytes(old.chain)
  (tmp_path / 'key.pem').write_bytes(old.key)
  with pytest.raises(UserError, match='cert.pem: valid from .*, not now'):
    identity.load_identity(tmp_path / 'cert.pem', tmp_path / 'key.pem')
  path = tmp_path / 'a.png'
  write_png(path, FRAMES[0])
  before = path.read_bytes()
  with pytest.raises(UserError, match='certificate'):
    sign(path, ORIGIN, old)
  assert path.read_bytes() == before
  assert len(os.listdir(tmp_path)) == 3


@pytest.mark.parametrize(
  'store',
  [
    {'validation_status': [{'code': None}]},
    {'validation_status': [7]},
    {'active_manifest': ['a']},
    {'active_manifest': 'a', 'manifests': {'a': 'b'}},
  ],
)
def test_a_store_of_another_shape_is_not_trusted(store):
  assert credentials._judge('Valid', store).state == 'altered'


def test_an_independent_reader_agrees(signed, root):
  """The library with its own defaults, on bytes alone."""
  mime = credentials.MIME_TYPES[signed.suffix]
  with c2pa.Reader(mime, io.BytesIO(signed.read_bytes())) as reader:
    assert reader.get_validation_state() == 'Valid'  # it knows no root of ours
    active = reader.get_active_manifest()
  data = {each['label']: each['data'] for each in active['assertions']}
  (action,) = data['c2pa.actions.v2']['actions']
  assert action['digitalSourceType'] == credentials.TRAINED
  assert action['softwareAgent']['name'] == 'flaxheads'


@pytest.fixture
def home(tmp_path, monkeypatch):
  monkeypatch.setenv('FLAXHEADS_HOME', str(tmp_path / 'home'))
  return tmp_path / 'home'


def test_the_key_is_made_once_and_private(home):
  first = identity.installation()
  path = home / identity.IDENTITY_FILE
  assert stat.S_IMODE(path.stat().st_mode) == 0o600
  assert stat.S_IMODE(home.stat().st_mode) == 0o700
  assert identity.installation() == first
  assert os.listdir(home) == [identity.IDENTITY_FILE]
  assert identity.trusted_roots() in first.chain
  # The root's key is nowhere: only one key was kept.
  assert path.read_bytes().count(b'PRIVATE KEY') == 2  # begin and end
  path.chmod(0o644)
  with pytest.raises(UserError, match='others may read'):
    identity.installation()


def test_an_expired_installation_renews_itself_and_keeps_its_root(home):
  now = datetime.datetime.now(datetime.UTC)
  old = identity.make_identity(now - 9 * DAY, now - DAY)
  home.mkdir(mode=0o700)
  path = home / identity.IDENTITY_FILE
  path.write_bytes(old.key + old.chain)
  path.chmod(0o600)
  new = identity.installation()
  assert new.key != old.key
  roots = identity.trusted_roots()
  for chain in (old.chain, new.chain):
    assert chain[chain.rindex(b'-----BEGIN') :] in roots


def test_where_the_key_is_kept(monkeypatch):
  monkeypatch.delenv('FLAXHEADS_HOME')
  monkeypatch.setenv('XDG_CONFIG_HOME', '/config')
  assert str(identity.home()) == '/config/flaxheads'
  monkeypatch.delenv('XDG_CONFIG_HOME')
  assert str(identity.home()).endswith('/.config/flaxheads')


def _pem(key):
  return key.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
  )


def test_ones_own_certificate(tmp_path, signer):
  cert, key = tmp_path / 'cert.pem', tmp_path / 'key.pem'
  cert.write_bytes(signer.chain)
  key.write_bytes(signer.key)
  assert identity.load_identity(cert, key) == signer
  for data, message in (
    (_pem(ec.generate_private_key(ec.SECP256R1())), 'is not the key of'),
    (_pem(dsa.generate_private_key(1024)), 'does not know this kind of key'),
    (b'text', 'no private key in PEM'),
  ):
    key.write_bytes(data)
    with pytest.raises(UserError, match=message):
      identity.load_identity(cert, key)
  cert.write_bytes(b'text')
  with pytest.raises(UserError, match='no certificate in PEM'):
    identity.load_identity(cert, key)
  with pytest.raises(UserError, match='none.pem: cannot be read'):
    identity.load_identity(tmp_path / 'none.pem', key)


def test_a_self_signed_certificate_is_refused(tmp_path):
  """C2PA wants a chain: its refusal becomes one line."""
  signer = identity.make_identity()
  root = signer.chain[signer.chain.rindex(b'-----BEGIN') :]
  path = tmp_path / 'a.png'
  write_png(path, FRAMES[0])
  with pytest.raises(UserError, match='--signing_cert') as caught:
    sign(path, ORIGIN, signer._replace(chain=root))
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize('suffix', ['.png', '.mp4'])
def test_a_file_that_cannot_be_sealed_does_not_appear(tmp_path, suffix):
  path = tmp_path / f'a{suffix}'
  path.write_text('earlier')
  seen = []

  def seal(temporary, title):
    seen.append((temporary.stat().st_size > 100, title))
    raise UserError('no key')

  with pytest.raises(UserError, match='no key'):
    if suffix == '.png':
      write_png(path, FRAMES[0], seal)
    else:
      with VideoWriter(path, 25, seal=seal) as writer:
        writer.write(FRAMES[0])
  assert seen == [(True, path.name)]
  assert os.listdir(tmp_path) == [path.name]
  assert path.read_text() == 'earlier'


def test_why_a_file_cannot_be_signed_is_told(tmp_path, signer):
  """The library says nothing of a full disk; a limit on files stands for it."""
  path = tmp_path / 'a.png'
  write_png(path, FRAMES[0])
  before = path.read_bytes()
  limits = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, limits[1]))
  try:
    with pytest.raises(UserError, match='b.png: cannot be signed .*too large'):
      sign(path, ORIGIN, signer, 'b.png')
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
  assert path.read_bytes() == before
  assert os.listdir(tmp_path) == ['a.png']
