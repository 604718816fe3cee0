"""What is done to a signed file afterwards, and what launch.verify calls it."""

import datetime
import json
import struct
import subprocess
import sys
import time

import av
import numpy as np
import pytest

from flaxheads.data.image import write_png
from flaxheads.data.sound import add_sound, has_sound
from flaxheads.data.video import read_video
from flaxheads.provenance import identity
from flaxheads.provenance.codes import Payload
from flaxheads.provenance.marks import Marks
from flaxheads.provenance.stamp import Stamp
from tests.launch import footage
from tests.launch.commands import call


def verify(path, *arguments):
  done = call('verify', '--json', path, *arguments)
  assert done.code == 0, done.err
  (item,) = json.loads(done.out)
  return item


@pytest.fixture(scope='module')
def animation(things, talking, tmp_path_factory):
  """A signed folder: a video with the driver's sound, and PNG frames."""
  folder = tmp_path_factory.mktemp('signed') / 'animation'
  done = call(
    'animate',
    f'--person={things.person}',
    f'--driver={talking}',
    '--png_frames',
    f'--output={folder}',
  )
  assert done.code == 0, done.err
  return folder


@pytest.fixture(scope='module')
def spoken(animation):
  return animation / 'talking.mp4'


# The library alone, with its own defaults, and a root from a file.
READER = """
import json, sys
import c2pa
path, root = sys.argv[1:]
trust = {'trust': {'user_anchors': open(root).read()}}
with c2pa.Context.from_dict(trust) as context:
  with open(path, 'rb') as file:
    kind = {'mp4': 'video/mp4', 'png': 'image/png'}[path[-3:]]
    with c2pa.Reader(kind, file, context=context) as reader:
      state, store = reader.get_validation_state(), json.loads(reader.json())
assert 'flaxheads' not in sys.modules
print(json.dumps([state, store]))
"""


def read_alone(path, root):
  """Validation state and manifest store, by a process without flaxheads."""
  done = subprocess.run(
    [sys.executable, '-c', READER, str(path), str(root)],
    capture_output=True,
    text=True,
    check=True,
  )
  return json.loads(done.stdout)


DRAWN = 'trainedAlgorithmicMedia'
BESIDE_OTHERS = 'compositeWithTrainedAlgorithmicMedia'  # the driver's frames


@pytest.mark.parametrize(
  'name, bound, source',
  [
    ('talking.mp4', 'assertion.bmffHash.match', DRAWN),
    ('side_by_side.mp4', 'assertion.bmffHash.match', BESIDE_OTHERS),
    ('contact_sheet.png', 'assertion.dataHash.match', BESIDE_OTHERS),
    ('talking/000003.png', 'assertion.dataHash.match', DRAWN),
  ],
)
def test_an_independent_reader_finds_them_valid(
  name, bound, source, animation, tmp_path
):
  root = tmp_path / 'root.pem'
  root.write_bytes(identity.trusted_roots())
  state, store = read_alone(animation / name, root)
  assert state == 'Trusted'
  results = store['validation_results']['activeManifest']
  assert results['failure'] == []
  codes = {each['code'] for each in results['success']}
  assert codes >= {'claimSignature.validated', 'signingCredential.trusted'}
  assert bound in codes
  manifest = store['manifests'][store['active_manifest']]
  data = {each['label']: each['data'] for each in manifest['assertions']}
  (action,) = data['c2pa.actions.v2']['actions']
  assert action['digitalSourceType'].endswith(f'/{source}')
  assert action['softwareAgent']['name'] == 'flaxheads'
  assert data['org.flaxheads.generation']['payload']


@pytest.mark.parametrize(
  'name, kind, code',
  [
    ('talking.mp4', b'mdat', 'assertion.bmffHash.mismatch'),
    ('contact_sheet.png', b'IDAT', 'assertion.dataHash.mismatch'),
  ],
)
def test_a_changed_byte(name, kind, code, animation, tmp_path):
  path = tmp_path / name
  data = bytearray((animation / name).read_bytes())
  data[data.rindex(kind) + 400] ^= 1
  path.write_bytes(data)
  item = verify(path)
  assert (item['verdict'], item['credentials']) == ('altered', 'altered')
  assert item['remarks'][0].startswith('changed since it was signed')
  assert code in item['remarks'][0]


def _packets(path, kind):
  with av.open(str(path)) as opened:
    (stream,) = getattr(opened.streams, kind)
    return [bytes(p) for p in opened.demux(stream) if p.size]


def _boxes(data):
  """{kind: bytes} of the outermost boxes of an mp4."""
  found, at = {}, 0
  while at < len(data):
    size, kind = struct.unpack_from('>I4s', data, at)
    found[kind] = data[at : at + size]
    at += size
  return found


def _moved(moov, distance):
  """A moov whose chunks lie further back in the file."""
  moov, at = bytearray(moov), 0
  while (at := moov.find(b'stco', at + 1)) > 0:
    (count,) = struct.unpack_from('>I', moov, at + 8)
    for place in range(at + 12, at + 12 + 4 * count, 4):
      (offset,) = struct.unpack_from('>I', moov, place)
      struct.pack_into('>I', moov, place, offset + distance)
  return bytes(moov)


@pytest.fixture(scope='module')
def other_voice(spoken, things, tmp_path_factory):
  """The same pictures with another sound, as any program leaves it."""
  folder = tmp_path_factory.mktemp('voice')
  footage.write_talking(folder / 'driver.mkv', things.video, hertz=880)
  path = folder / 'other.mp4'
  path.write_bytes(spoken.read_bytes())
  add_sound(path, folder / 'driver.mkv', 0, 0.24)
  assert _packets(path, 'video') == _packets(spoken, 'video')
  assert _packets(path, 'audio') != _packets(spoken, 'audio')
  return path


def test_a_swapped_sound_loses_the_credentials(other_voice):
  """The mark in the pictures stays, and speaks of pictures alone."""
  item = verify(other_voice)
  assert (item['verdict'], item['credentials']) == ('synthetic', 'absent')
  assert item['watermark']['matches_manifest'] is None


def test_a_swapped_sound_under_the_old_credentials(
  spoken, other_voice, tmp_path
):
  signed, forged = map(_boxes, (spoken.read_bytes(), other_voice.read_bytes()))
  path = tmp_path / 'forged.mp4'
  path.write_bytes(
    forged[b'ftyp']
    + signed[b'uuid']
    + _moved(forged[b'moov'], len(signed[b'uuid']))
    + b''.join(
      forged[kind] for kind in forged if kind not in (b'ftyp', b'moov')
    )
  )
  assert _packets(path, 'audio') == _packets(other_voice, 'audio')
  np.testing.assert_array_equal(
    read_video(path).frames, read_video(spoken).frames
  )
  item = verify(path)
  assert (item['verdict'], item['credentials']) == ('altered', 'altered')
  assert 'assertion.bmffHash.mismatch' in item['remarks'][0]


def test_a_sound_overwritten_in_place(spoken, tmp_path):
  data = spoken.read_bytes()
  loudest = max(_packets(spoken, 'audio'), key=len)
  assert data.count(loudest) == 1
  path = tmp_path / 'quiet.mp4'
  path.write_bytes(data.replace(loudest, bytes(len(loudest))))
  assert has_sound(path)
  item = verify(path)
  assert (item['verdict'], item['credentials']) == ('altered', 'altered')
  assert 'assertion.bmffHash.mismatch' in item['remarks'][0]


def test_credentials_of_another_file(animation, tmp_path):
  """Of one video of a folder in the other, both signed by the same key."""
  ours, theirs = (
    _boxes((animation / name).read_bytes())
    for name in ('talking.mp4', 'side_by_side.mp4')
  )
  change = len(theirs[b'uuid']) - len(ours[b'uuid'])
  ours[b'moov'] = _moved(ours[b'moov'], change)
  ours[b'uuid'] = theirs[b'uuid']
  path = tmp_path / 'pasted.mp4'
  path.write_bytes(b''.join(ours.values()))
  item = verify(path)
  assert (item['verdict'], item['credentials']) == ('altered', 'altered')
  assert 'assertion.bmffHash.mismatch' in item['remarks'][0]


def test_an_expired_certificate(tmp_path):
  """There is no timestamp: nothing says that it was valid when it signed."""
  now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
  own = identity.make_identity(end=now + datetime.timedelta(seconds=5))
  path, root = tmp_path / 'a.png', tmp_path / 'root.pem'
  root.write_bytes(own.chain[own.chain.rindex(b'-----BEGIN') :])
  marks = Marks(own, Payload(1, 2))
  (frame,) = np.asarray(Stamp(marks)(footage.portrait()[None]))
  write_png(path, frame, marks.seal)
  # A certificate is good to the end of its last second.
  while datetime.datetime.now(datetime.UTC).timestamp() < now.timestamp() + 6.5:
    time.sleep(0.2)
  item = verify(path, f'--trust={root}')
  assert (item['verdict'], item['credentials']) == ('synthetic', 'untrusted')
  assert item['remarks'] == ['the certificate has expired']
  data = bytearray(path.read_bytes())
  data[data.rindex(b'IDAT') + 400] ^= 1
  path.write_bytes(data)
  item = verify(path, f'--trust={root}')
  assert (item['verdict'], item['credentials']) == ('altered', 'altered')
