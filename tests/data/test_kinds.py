"""Files are what their bytes say, whatever they are called."""

import av
import numpy as np
import pi_heif
import pytest
from PIL import Image

from flaxheads.data import face_clips, support
from flaxheads.data.image import read_image
from flaxheads.data.kinds import IMAGE, SOUND, VIDEO, is_animation, kind_of
from flaxheads.data.video import VideoReader, read_video
from flaxheads.data.video_writer import VideoWriter
from flaxheads.errors import UserError
from tests.data.coloured_faces import ColourDetector, picture

PLACES = {'red': (60, 40, 30)}


def _frames(count=4):
  return [
    Image.fromarray(picture({'red': (50 + i, 40, 30)})) for i in range(count)
  ]


def _animate(path, **options):
  first, *rest = _frames()
  first.save(
    path,
    save_all=True,
    append_images=rest,
    duration=[83, 83, 84, 83],
    **options,
  )


def _heic(path):
  """An HEIC is an H.265 key frame in a box; only its first bytes count here."""
  path.write_bytes(b'\0\0\0\x18ftypheic\0\0\0\0mif1heic' + bytes(100))


@pytest.mark.parametrize(
  'format', ['JPEG', 'PNG', 'WEBP', 'BMP', 'TIFF', 'PPM', 'AVIF', 'MPO']
)
@pytest.mark.parametrize(
  'name', ['a', 'a.jfif', 'a.jpg_large', 'a.heic', 'a.mp4']
)
def test_images_under_any_name(tmp_path, format, name):
  image = _frames(1)[0]
  image.save(tmp_path / name, format=format)
  assert kind_of(tmp_path / name) == IMAGE
  assert not is_animation(tmp_path / name)
  got = read_image(tmp_path / name).astype(int)
  assert np.abs(got - np.asarray(image)).mean() < 4


@pytest.mark.parametrize('container', ['mp4', 'mov', 'matroska', 'avi'])
def test_videos_under_any_name(tmp_path, container):
  path = tmp_path / 'a.jpg'
  with av.open(str(path), 'w', format=container) as output:
    stream = output.add_stream('mpeg4', rate=25)
    stream.width = stream.height = 64
    stream.pix_fmt = 'yuv420p'
    for _ in range(3):
      frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))
      output.mux(stream.encode(frame))
    output.mux(stream.encode())
  assert kind_of(path) == VIDEO
  assert len(read_video(path).frames) == 3


def test_others_are_what_their_name_says(tmp_path):
  _heic(tmp_path / 'b')
  assert kind_of(tmp_path / 'b') == IMAGE
  for name, kind in [('a.txt', None), ('a.jpg', IMAGE), ('a.mp4', VIDEO)]:
    (tmp_path / name).write_text('nothing that is known')
    assert kind_of(tmp_path / name) == kind
  (tmp_path / 'a.m4a').write_bytes(b'\0\0\0\x18ftypM4A \0\0\0\0')
  assert kind_of(tmp_path / 'a.m4a') == SOUND
  assert kind_of(tmp_path) is None
  assert kind_of(tmp_path / 'none.webp') == IMAGE


def test_camera_raw_is_refused_with_what_to_do(tmp_path):
  """It would be read as the small preview in its TIFF."""
  _frames(1)[0].save(tmp_path / 'a.dng', format='TIFF')
  assert kind_of(tmp_path / 'a.dng') is None
  with pytest.raises(UserError, match='is not a video or an image.*JPEG'):
    face_clips.load_face_clip(tmp_path / 'a.dng', 64, detector=ColourDetector())


def test_damaged_heic_is_one_line(tmp_path):
  assert pi_heif.libheif_version()
  _heic(tmp_path / 'a.jpg')
  with pytest.raises(UserError, match='a.jpg: .*(damaged|not an image)'):
    read_image(tmp_path / 'a.jpg')


def test_a_folder_with_odd_names_is_read_whole(tmp_path):
  for name in ('a.jfif', 'b', 'c.jpg_large'):
    Image.fromarray(picture(PLACES)).save(tmp_path / name, format='JPEG')
  (tmp_path / 'notes').write_text('no picture')
  found = support.load_support(tmp_path, 64, detector=ColourDetector())
  assert len(found.frames) == 3
  assert found.portrait.image.shape == picture(PLACES).shape


@pytest.mark.parametrize('suffix', ['webp', 'png', 'avif'])
def test_animations_are_videos(tmp_path, suffix):
  """Durations are in ms: 83 are of 12 frames/s."""
  path = tmp_path / f'a.{suffix}'
  _animate(path, **({'lossless': True} if suffix == 'webp' else {}))
  assert kind_of(path) == VIDEO and is_animation(path)
  reader = VideoReader(path)
  assert reader.estimated_frames == 4 and reader.frame_rate == 12
  read = read_video(path)
  np.testing.assert_allclose(read.times, np.arange(4) / 12, atol=1e-3)
  for got, want in zip(read.frames, _frames(), strict=True):
    assert np.abs(got.astype(int) - np.asarray(want)).mean() < 4
  clip = face_clips.load_face_clip(path, 64, detector=ColourDetector())
  assert len(clip.frames) == 4 and clip.fps == 12


def test_an_animation_that_is_cut_short(tmp_path, caplog):
  path = tmp_path / 'a.webp'
  _animate(path, lossless=True)
  path.write_bytes(path.read_bytes()[:-60])
  with pytest.raises(UserError, match='a.webp: .*damaged|truncated'):
    read_video(path)


def _write(path, streams, still=None):
  """Writes streams of six frames; `still` has one."""
  with av.open(str(path), 'w') as output:
    outs = []
    for _ in range(streams):
      stream = output.add_stream('mpeg4', rate=25)
      stream.width = stream.height = 64
      stream.pix_fmt = 'yuv420p'
      outs.append(stream)
    for number, stream in enumerate(outs):
      for index in range(1 if number == still else 6):
        grey = np.full((64, 64, 3), 40 + 100 * number, np.uint8)
        frame = av.VideoFrame.from_ndarray(grey)
        frame.pts = index
        output.mux(stream.encode(frame))
      output.mux(stream.encode())


def test_a_still_stream_is_not_the_video(tmp_path):
  _write(tmp_path / 'a.mkv', 2, still=0)
  read = read_video(tmp_path / 'a.mkv')
  assert len(read.frames) == 6 and read.frames[0].mean() > 100
  _write(tmp_path / 'b.mkv', 2)
  assert read_video(tmp_path / 'b.mkv').frames[0].mean() < 100


def test_written_video_stays_a_video(tmp_path):
  with VideoWriter(tmp_path / 'a.mp4', 25) as writer:
    writer.write(picture(PLACES))
  assert kind_of(tmp_path / 'a.mp4') == VIDEO
