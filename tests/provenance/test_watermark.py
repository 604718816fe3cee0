"""The watermark: heard after what happens to videos, and never without one."""

import cv2
import numpy as np
import pytest

from flaxheads.data.video import read_video
from flaxheads.data.video_writer import VideoWriter
from flaxheads.provenance import carriers, codes, detection, watermark
from flaxheads.provenance.codes import Payload
from flaxheads.provenance.marks import Marks, new_payload
from flaxheads.provenance.stamp import Stamp

# What the first release chose.
FIRST_SIGNS = [1, 1, -1, -1, -1, 1, -1, -1]
FIRST_GROUPS = [319, 237, 121, 360]
FIRST_PILOTS = [-1, 1, 1, -1, 1, 1, 1, -1]
PAYLOAD = Payload(0x12AB, 0x34CDEF)


def make_clip(seed=0, size=128, frames=12):
  """A textured ball that moves before a wall with a window."""
  rng = np.random.default_rng(seed)
  y, x = np.mgrid[:size, :size] / size
  wall = 90 + 60 * x + 40 * (np.abs(x - 0.8) < 0.1) * (np.abs(y - 0.3) < 0.15)
  grain = cv2.GaussianBlur(rng.normal(0, 60, (size, size)), (0, 0), size / 64)
  clip = []
  for t in np.linspace(0, 1, frames):
    centre = 0.45 + 0.1 * t
    head = np.hypot(x - centre, y - 0.5) < 0.27
    moved = np.roll(grain, int(0.1 * t * size), 1)
    clip.append(np.where(head, 150 + 30 * y + moved, wall))
  grey = np.clip(np.stack(clip), 0, 255)[..., None]
  return np.rint(grey * np.array([1, 0.9, 0.8])).astype(np.uint8)


@pytest.fixture(scope='module')
def clip():
  return make_clip()


@pytest.fixture(scope='module')
def marked(clip):
  pattern = watermark.make_pattern(clip, PAYLOAD)
  return np.asarray(watermark.add_pattern(clip, pattern))


def found(frames):
  return detection.detect(detection.average(frames))


def test_a_code_word_comes_back():
  word = codes.encode(PAYLOAD)
  assert word.shape == (codes.NUM_CODE_BITS,) and set(word) == {-1, 1}
  assert codes.decode(word) == PAYLOAD
  noise = np.random.default_rng(0).normal(0, 1.2, len(word))
  assert np.mean(np.sign(word + noise) != word) > 0.15
  assert codes.decode(word + noise) == PAYLOAD


def test_the_crc_is_that_of_rfc_4880():
  """Check value of CRC-24/OPENPGP: 0x21CF02 for the text 123456789."""
  bits = np.unpackbits(np.frombuffer(b'123456789', np.uint8))
  assert codes.crc24(bits) == 0x21CF02


def test_noise_is_no_code_word():
  rng = np.random.default_rng(1)
  words = rng.normal(size=(300, codes.NUM_CODE_BITS))
  assert [codes.decode(word) for word in words] == [None] * 300
  assert detection.FALSE_POSITIVE_RATE < 1e-6


def test_carriers_are_apart_and_fixed():
  chips = carriers.carriers()
  pairs = set(zip(chips.rows.tolist(), chips.columns.tolist(), strict=True))
  assert len(pairs) == len(chips.rows)
  counts = np.bincount(chips.groups, minlength=carriers.NUM_GROUPS)
  assert set(counts) == {6}
  # They may never change: files that are out there could not be read.
  assert chips.signs[:8].tolist() == FIRST_SIGNS
  assert chips.groups[:4].tolist() == FIRST_GROUPS
  assert carriers.pilots()[:8].tolist() == FIRST_PILOTS


@pytest.mark.parametrize('size', [64, 128, 200])
def test_the_basis_is_a_cosine_transform(size):
  rng = np.random.default_rng(2)
  values = np.zeros((carriers.SIDE, carriers.SIDE))
  values[:40, :40] = rng.normal(size=(40, 40))
  synthesis = carriers.synthesis(size)
  basis = carriers.basis(size)
  picture = synthesis @ values @ synthesis.T
  np.testing.assert_allclose(basis @ picture @ basis.T, values, atol=1e-4)
  # Constant brightness keeps its value at every size.
  constant = basis @ np.ones((size, size)) @ basis.T
  assert constant[0, 0] == pytest.approx(carriers.SIDE, rel=1e-5)


def test_the_mark_is_quiet_and_still(clip, marked):
  error = marked.astype(float) - clip
  assert 10 * np.log10(255**2 / np.mean(error**2)) > 42
  # The same in every frame, up to rounding and clipping: nothing flickers.
  inside = (clip > 20) & (clip < 235)
  varies = np.where(inside.all(0), error.std(0), 0)
  assert varies.max() < 0.51


def test_it_is_found_and_says_what_was_said(marked):
  detected = found(marked)
  assert detected.payload == PAYLOAD
  assert detected.agreement > 0.9
  assert detected.how == 'whole'


def test_nothing_is_found_where_nothing_is(clip):
  assert found(clip) is None
  noise = np.random.default_rng(3).integers(0, 256, (1, 96, 80, 3), np.uint8)
  assert found(noise) is None
  assert found(np.zeros((1, 64, 64, 3), np.uint8)) is None


def _resize(frames, factor):
  size = tuple(int(factor * n) for n in frames.shape[2:0:-1])
  return np.stack([cv2.resize(f, size) for f in frames])


def _jpeg(frames):
  quality = [cv2.IMWRITE_JPEG_QUALITY, 50]
  coded = [cv2.imencode('.jpg', f, quality)[1] for f in frames]
  return np.stack([cv2.imdecode(c, cv2.IMREAD_COLOR) for c in coded])


CHANGES = {
  'half': lambda f: _resize(f, 0.5),
  'one and a half': lambda f: _resize(f, 1.5),
  'stretched': lambda f: np.stack([cv2.resize(x, (160, 100)) for x in f]),
  'cut all around': lambda f: f[:, 7:-6, 6:-7],
  'cut at one side': lambda f: f[:, :, :-13],
  'mirrored': lambda f: f[:, :, ::-1],
  'JPEG': _jpeg,
  'brighter': lambda f: np.clip(f * 1.2, 0, 255).astype(np.uint8),
  'flatter': lambda f: (128 + 0.8 * (f.astype(float) - 128)).astype(np.uint8),
  'one frame': lambda f: f[-1:],
}


@pytest.mark.parametrize('change', CHANGES)
def test_it_survives(marked, change):
  detected = found(CHANGES[change](marked))
  assert detected and detected.payload == PAYLOAD


@pytest.mark.parametrize('crf', [23, 33])
def test_it_survives_h264(tmp_path, crf):
  clip = make_clip(size=256)
  marked = np.asarray(Stamp(Marks(payload=PAYLOAD))(clip))
  with VideoWriter(tmp_path / 'a.mp4', 25, crf=crf) as writer:
    for frame in marked:
      writer.write(frame)
  assert found(read_video(tmp_path / 'a.mp4').frames).payload == PAYLOAD


def test_long_sides_cost_no_more_than_they_must(clip, marked, monkeypatch):
  """A hostile image may have one row of a hundred million pixels."""
  asked, basis = [], carriers.basis
  monkeypatch.setattr(
    carriers, 'basis', lambda size: asked.append(size) or basis(size)
  )
  strip = np.random.default_rng(6).uniform(0, 255, (1, 3_000_001))
  assert detection.detect(strip) is None
  assert max(asked) <= detection.MAX_SIDE
  wide = cv2.resize(marked[0], (detection.MAX_SIDE + 1001, 300))
  picture = detection.average([wide])
  plain = basis(300) @ picture @ basis(picture.shape[1]).T
  thinned = detection._transform(picture)
  heard = np.s_[:60, :60]  # beyond there is no mark
  scale = np.abs(plain[heard]).std()
  assert np.abs(thinned[heard] - plain[heard]).max() < 0.01 * scale
  assert detection.detect(picture).payload == PAYLOAD


def test_sizes_are_not_kept_for_ever():
  for size in range(200, 300):
    carriers.basis(size)
  assert carriers.basis.cache_info().currsize <= 64


@pytest.mark.parametrize('shape', [(64, 64), (96, 300), (512, 512)])
def test_every_size_can_be_marked(shape):
  side = max(shape)
  clip = make_clip(size=side, frames=2)[:, : shape[0], : shape[1]]
  stamp = Stamp(Marks(payload=PAYLOAD))
  first, second = np.asarray(stamp(clip[:1])), np.asarray(stamp(clip[1:]))
  assert first.shape == (1, *shape, 3)
  detected = found(np.concatenate([first, second]))
  assert detected and detected.payload == PAYLOAD


def test_a_payload_names_the_model_and_is_new():
  one, other = new_payload('12ab' * 16), new_payload('12ab' * 16)
  assert one.model_id == other.model_id == 0x12AB
  assert one.random_id != other.random_id
  assert str(PAYLOAD) == '12ab-34cdef'
  assert new_payload('').model_id == 0


def test_a_label_is_seen_and_nothing_else(clip):
  labelled = np.asarray(Stamp(Marks(label=True))(clip))
  changed = np.argwhere((labelled != clip).any((0, 3)))
  assert len(changed) > 100
  assert changed[:, 0].min() > 100  # the lowest fifth
  assert changed[:, 1].max() < 80
  np.testing.assert_array_equal(Stamp(Marks())(clip), clip)
