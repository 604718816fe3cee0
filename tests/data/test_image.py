"""Images of every common kind, limits, and contact sheets."""

import numpy as np
import pytest
from PIL import Image

from flaxheads.data import image as images
from flaxheads.errors import UserError


@pytest.fixture(name='picture')
def _picture():
  """uint8 [40, 60, 3], smooth enough for JPEG, unlike when turned."""
  y, x = np.mgrid[:40, :60]
  return np.stack([4 * x, 6 * y, 255 - 2 * x - 3 * y], -1).astype(np.uint8)


def _close(a, b, tolerance):
  assert a.shape == b.shape and a.dtype == np.uint8
  assert np.abs(a.astype(int) - b.astype(int)).max() <= tolerance


@pytest.mark.parametrize(
  ('name', 'tolerance'),
  [('a.png', 0), ('a.bmp', 0), ('a.tiff', 0), ('a.ppm', 0), ('a.jpg', 16)],
)
def test_formats(tmp_path, picture, name, tolerance):
  options = {'quality': 98, 'subsampling': 0} if name == 'a.jpg' else {}
  Image.fromarray(picture).save(tmp_path / name, **options)
  _close(images.read_image(tmp_path / name), picture, tolerance)


# What a viewer does with each EXIF orientation (Exif 2.3, tag 274).
_ORIENT = {
  1: lambda a: a,
  2: lambda a: a[:, ::-1],
  3: lambda a: a[::-1, ::-1],
  4: lambda a: a[::-1],
  5: lambda a: a.transpose(1, 0, 2),
  6: lambda a: a[::-1].transpose(1, 0, 2),  # a quarter turn clockwise
  7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
  8: lambda a: a[:, ::-1].transpose(1, 0, 2),
}


@pytest.mark.parametrize('orientation', list(_ORIENT))
def test_exif_orientation(tmp_path, picture, orientation):
  exif = Image.Exif()
  exif[274] = orientation
  Image.fromarray(picture).save(tmp_path / 'a.png', exif=exif)
  expected = _ORIENT[orientation](picture)
  np.testing.assert_array_equal(images.read_image(tmp_path / 'a.png'), expected)


def test_orientation_holds_for_grey_with_alpha(tmp_path):
  exif = Image.Exif()
  exif[274] = 6
  grey = np.arange(200, dtype=np.uint8).reshape(10, 20)
  alpha = np.full_like(grey, 255)
  stacked = Image.fromarray(np.stack([grey, alpha], -1), 'LA')
  stacked.save(tmp_path / 'a.png', exif=exif)
  read = images.read_image(tmp_path / 'a.png')
  np.testing.assert_array_equal(read[..., 0], grey[::-1].T)


def test_alpha_lies_over_white(tmp_path, picture):
  alpha = np.tile(np.linspace(0, 255, 60).astype(np.uint8), (40, 1))
  rgba = np.dstack([picture, alpha])
  Image.fromarray(rgba).save(tmp_path / 'a.png')
  part = alpha[..., None] / 255
  expected = np.rint(picture * part + 255 * (1 - part)).astype(np.uint8)
  _close(images.read_image(tmp_path / 'a.png'), expected, 1)


def test_palette_with_a_transparent_colour(tmp_path):
  image = Image.new('P', (4, 2))
  image.putpalette([10, 20, 30, 200, 100, 50])
  image.putpixel((1, 1), 1)
  image.save(tmp_path / 'a.png', transparency=0)
  read = images.read_image(tmp_path / 'a.png')
  assert read[1, 1].tolist() == [200, 100, 50]
  assert read[0, 0].tolist() == [255, 255, 255]


def test_cmyk(tmp_path):
  inks = {(0, 255, 255, 0): (255, 0, 0), (255, 0, 0, 0): (0, 255, 255)}
  for ink, colour in inks.items():
    image = Image.new('CMYK', (16, 16), ink)
    image.save(tmp_path / 'a.jpg', quality=95)
    read = images.read_image(tmp_path / 'a.jpg')
    _close(read, np.full((16, 16, 3), colour, np.uint8), 8)


def test_16_bits_are_scaled(tmp_path):
  values = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
  expected = np.rint(values / 65535 * 255).astype(np.uint8)
  for name in ('a.png', 'a.tiff'):
    Image.fromarray(values).save(tmp_path / name)
    read = images.read_image(tmp_path / name)
    _close(read, np.repeat(expected[..., None], 3, 2), 0)


def test_colour_profile(tmp_path, picture):
  from PIL import ImageCms

  srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()
  Image.fromarray(picture).save(tmp_path / 'a.png', icc_profile=srgb)
  _close(images.read_image(tmp_path / 'a.png'), picture, 1)
  Image.fromarray(picture).save(tmp_path / 'b.png', icc_profile=b'broken')
  np.testing.assert_array_equal(images.read_image(tmp_path / 'b.png'), picture)


def test_astronaut_comes_through_every_kind(tmp_path):
  data = pytest.importorskip('skimage.data')
  face = data.astronaut()[:256, 100:356]
  exif = Image.Exif()
  exif[274] = 8
  turned = Image.fromarray(np.rot90(face, -1))  # EXIF 8 turns it back
  turned.save(tmp_path / 'a.jpg', exif=exif, quality=95, subsampling=0)
  difference = images.read_image(tmp_path / 'a.jpg').astype(int) - face
  assert np.abs(difference).mean() < 2


def test_refusals(tmp_path, picture):
  (tmp_path / 'text.png').write_text('not a picture')
  (tmp_path / 'empty.jpg').write_bytes(b'')
  (tmp_path / 'page.png').write_text('%!PS-Adobe-3.0 EPSF-3.0\nshowpage')
  Image.fromarray(picture).save(tmp_path / 'whole.jpg')
  whole = (tmp_path / 'whole.jpg').read_bytes()
  (tmp_path / 'cut.jpg').write_bytes(whole[: len(whole) // 2])
  for name, message in [
    ('text.png', 'not an image'),
    ('empty.jpg', 'not an image'),
    ('page.png', 'not an image'),
    ('cut.jpg', 'damaged or truncated'),
    ('none.png', 'no such file'),
    ('.', 'is a folder'),
  ]:
    with pytest.raises(UserError, match=message) as error:
      images.read_image(tmp_path / name)
    assert '\n' not in str(error.value)


def test_too_many_pixels(tmp_path, picture):
  Image.fromarray(picture).save(tmp_path / 'a.png')
  with pytest.raises(UserError, match='more than 0.001 megapixels'):
    images.read_image(tmp_path / 'a.png', max_pixels=1000)
  # 400 million pixels in a few kilobytes are refused before being unpacked.
  Image.new('1', (20_000, 20_000)).save(tmp_path / 'bomb.png')
  with pytest.raises(UserError, match='megapixels'):
    images.read_image(tmp_path / 'bomb.png')


def test_write_png(tmp_path, picture):
  images.write_png(tmp_path / 'a.png', picture)
  np.testing.assert_array_equal(images.read_image(tmp_path / 'a.png'), picture)
  with pytest.raises(ValueError, match='uint8'):
    images.write_png(tmp_path / 'b.png', picture / 255)
  with pytest.raises(UserError, match='existing, writable'):
    images.write_png(tmp_path / 'none' / 'b.png', picture)
  assert [p.name for p in tmp_path.iterdir()] == ['a.png']


def test_contact_sheet_on_grey_paper(picture):
  sheet = images.contact_sheet([[picture]], gap=4, paper=240)
  assert (sheet[:4] == 240).all()


def test_contact_sheet(picture):
  small = np.full((10, 20, 3), 7, np.uint8)
  sheet = images.contact_sheet([[picture, small], [None, small, small]], gap=4)
  # Widths 60, 20, 20 and heights 40, 10 with gaps around.
  assert sheet.shape == (4 + 40 + 4 + 10 + 4, 4 + 60 + 4 + 20 + 4 + 20 + 4, 3)
  np.testing.assert_array_equal(sheet[4:44, 4:64], picture)
  np.testing.assert_array_equal(sheet[48:58, 68:88], small)
  assert (sheet[48:58, 4:64] == 255).all()
  labelled = images.contact_sheet([[picture]], ['row'], ['column'])
  assert labelled.shape[0] > 48 and labelled.shape[1] > 68
  assert (labelled[:18] < 128).any()  # letters
  with pytest.raises(ValueError, match='at least one'):
    images.contact_sheet([])
