"""Verdicts on files that were marked, changed, cut or never ours."""

import os

import cv2
import numpy as np
import pytest

from flaxheads.data.image import write_png
from flaxheads.data.video import read_video
from flaxheads.data.video_writer import VideoWriter
from flaxheads.errors import UserError
from flaxheads.provenance import credentials, examine, identity
from flaxheads.provenance.codes import Payload
from flaxheads.provenance.marks import Marks
from flaxheads.provenance.stamp import Stamp
from tests.provenance.test_watermark import make_clip

PAYLOAD = Payload(0x12AB, 0x34CDEF)


@pytest.fixture(scope='module')
def clip():
  return make_clip()


@pytest.fixture(scope='module')
def marks():
  return Marks(identity.installation(), PAYLOAD, {'model': 'x'})


@pytest.fixture(scope='module')
def video(tmp_path_factory, clip, marks):
  path = tmp_path_factory.mktemp('marked') / 'a.mp4'
  with VideoWriter(path, 25, seal=marks.seal) as writer:
    for frame in np.asarray(Stamp(marks)(clip)):
      writer.write(frame)
  return path


def look(path):
  return examine.examine(path, identity.trusted_roots())


def test_a_marked_file_is_synthetic(video):
  finding = look(video)
  assert finding.verdict == 'synthetic'
  assert finding.credentials.state == 'trusted'
  assert finding.watermark.payload == PAYLOAD
  assert finding.matches is True
  assert finding.as_json() == {
    'file': str(video),
    'verdict': 'synthetic',
    'credentials': 'trusted',
    'watermark': {
      'found': True,
      'payload': '12ab-34cdef',
      'agreement': round(finding.watermark.agreement, 4),
      'how': 'whole',
      'false_positive_rate': 15 / 2**24,
      'matches_manifest': True,
    },
    'signer': 'flaxheads, flaxheads signer',
    'facts': finding.credentials.facts,
    'remarks': [],
  }
  assert finding.credentials.facts['payload'] == '12ab-34cdef'
  words = finding.in_words()
  assert f'{video}: synthetic' in words
  assert '12ab-34cdef (whole image), as signed' in words
  assert '1 in' not in words and 'one of 1,118,481 files' in words


def test_the_temporary_name_is_not_signed(video):
  import json

  import c2pa

  with c2pa.Reader(str(video)) as reader:
    store = json.loads(reader.json())
  assert store['manifests'][store['active_manifest']]['title'] == 'a.mp4'
  assert os.listdir(video.parent) == ['a.mp4']


def test_a_copy_without_credentials_is_still_known(video, tmp_path):
  copy = tmp_path / 'copy.mp4'
  with VideoWriter(copy, 30, crf=28) as writer:
    for frame in read_video(video, fps=30).frames:
      writer.write(cv2.resize(frame, (160, 160)))
  finding = look(copy)
  assert finding.verdict == 'synthetic'
  assert finding.credentials.state == 'absent'
  assert (finding.watermark.payload, finding.matches) == (PAYLOAD, None)


def test_a_changed_file_is_altered(video, tmp_path):
  data = bytearray(video.read_bytes())
  data[data.rindex(b'mdat') + 4000] ^= 1
  changed = tmp_path / 'changed.mp4'
  changed.write_bytes(data)
  finding = look(changed)
  assert (finding.verdict, finding.matches) == ('altered', None)
  assert 'credentials: altered' in finding.in_words()


def test_a_mark_under_another_signature_is_altered(tmp_path, clip, marks):
  path = tmp_path / 'a.png'
  (frame,) = np.asarray(Stamp(marks)(clip[:1]))
  other = Marks(marks.identity, Payload(1, 2))
  write_png(path, frame, other.seal)
  finding = look(path)
  assert finding.credentials.state == 'trusted'
  assert (finding.matches, finding.verdict) == (False, 'altered')
  assert 'NOT what is signed' in finding.in_words()


def test_nothing_is_said_of_other_files(tmp_path, clip):
  write_png(tmp_path / 'a.png', clip[0])
  assert look(tmp_path / 'a.png').verdict == 'unknown'
  (tmp_path / 'b.mp4').write_bytes(b'\0' * 5000)
  finding = look(tmp_path / 'b.mp4')
  assert finding.verdict == 'unknown'
  assert 'b.mp4: is not a video' in finding.problem
  assert '\n' not in finding.problem
  with pytest.raises(UserError, match=r'c\.png: cannot be read'):
    look(tmp_path / 'c.png')


def test_a_camera_that_signs_is_not_synthetic(tmp_path, clip, marks):
  path = tmp_path / 'a.png'
  write_png(path, clip[0])
  kind = 'http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture'
  credentials.sign(path, credentials.Origin(kind, {}), marks.identity)
  finding = look(path)
  assert (finding.credentials.state, finding.verdict) == ('trusted', 'unknown')


def test_folders_are_walked_and_kept_to(tmp_path, clip):
  folder = tmp_path / 'folder'
  (folder / 'deep').mkdir(parents=True)
  for name in ('b.png', 'deep/a.png', '.hidden.png'):
    write_png(folder / name, clip[0])
  (folder / 'notes.txt').touch()
  write_png(tmp_path / 'outside.png', clip[0])
  (folder / 'link.png').symlink_to(tmp_path / 'outside.png')
  names = [p.relative_to(folder).as_posix() for p in examine.files_of(folder)]
  assert names == ['b.png', 'deep/a.png']
  (folder / 'empty').mkdir()
  assert len(examine.files_of(folder, links=True)) == 3
  with pytest.raises(UserError, match='has no image or video'):
    examine.files_of(folder / 'empty')
  with pytest.raises(UserError, match='no such file'):
    examine.files_of(folder / 'none')


def test_only_heads_drawn_and_signed_here_belong_to_nobody(
  tmp_path, clip, marks
):
  roots = identity.trusted_roots()
  facts = {'kind': examine.SYNTHETIC_HEAD}
  drawn = Marks(marks.identity, facts=facts)
  write_png(tmp_path / 'a.png', clip[0], drawn.seal)
  assert examine.shows_synthetic_heads(tmp_path, roots)
  assert not examine.shows_synthetic_heads(tmp_path, b'')
  for name, other in (
    ('stranger', Marks(identity.make_identity(), facts=facts)),
    ('animated', marks),
    ('unsigned', Marks()),
  ):
    path = tmp_path / f'{name}.png'
    write_png(path, clip[0], other.seal)
    assert not examine.shows_synthetic_heads(path, roots), name
  assert not examine.shows_synthetic_heads(tmp_path, roots)  # not all of it


def test_what_a_folder_links_to_belongs_to_somebody(tmp_path, clip, marks):
  """It is read like the others, so it is asked about, and in the digest."""
  facts = {'kind': examine.SYNTHETIC_HEAD}
  folder = tmp_path / 'folder'
  folder.mkdir()
  write_png(folder / 'a.png', clip[0], Marks(marks.identity, facts=facts).seal)
  roots = identity.trusted_roots()
  assert examine.shows_synthetic_heads(folder, roots)
  before = examine.sha256_of(folder)
  write_png(tmp_path / 'somebody.png', clip[0])
  (folder / 'b.png').symlink_to(tmp_path / 'somebody.png')
  assert not examine.shows_synthetic_heads(folder, roots)
  assert examine.sha256_of(folder) != before


def test_digests_of_files_and_folders(tmp_path, clip):
  import hashlib

  (tmp_path / 'a.txt').write_bytes(b'abc')
  known = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
  assert examine.sha256_of(tmp_path / 'a.txt') == known
  write_png(tmp_path / 'b.png', clip[0])
  digest = examine.sha256_of(tmp_path / 'b.png')
  folder = hashlib.sha256(digest.encode()).hexdigest()
  assert examine.sha256_of(tmp_path) == folder
