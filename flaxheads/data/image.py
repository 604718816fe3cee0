"""Reading images of common formats, writing PNG, and contact sheets."""

import contextlib
import io
import os
import struct
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pi_heif
from PIL import Image, ImageCms, ImageDraw, ImageFont, ImageOps

from flaxheads.data.output_files import Seal, atomic_path
from flaxheads.errors import UserError

MAX_PIXELS = 100_000_000
# Plain image formats only: other decoders of Pillow start programs (EPS). Not
# every build has AVIF.
Image.init()
pi_heif.register_heif_opener()
FORMATS = tuple(
  name
  for name in 'PNG JPEG WEBP BMP GIF TIFF PPM AVIF HEIF'.split()
  if name in Image.OPEN
)


@contextlib.contextmanager
def open_image(path: Path, max_pixels: int = MAX_PIXELS):
  """Opens an image; what fails in the body is reported in one line.

  Args:
    path: the file.
    max_pixels: larger images are refused before they are decoded.

  Raises:
    UserError: as `read_image`.
  """
  if not path.is_file():
    what = 'is a folder' if path.is_dir() else 'no such file'
    raise UserError(f'{path}: {what}; give an image')
  try:
    with warnings.catch_warnings():
      # max_pixels is the limit here; Pillow's warning would repeat it.
      warnings.simplefilter('ignore', Image.DecompressionBombWarning)
      with Image.open(path, formats=FORMATS) as image:
        width, height = image.size
        if width * height > max_pixels:
          raise Image.DecompressionBombError
        yield image
  except Image.DecompressionBombError as error:
    raise UserError(
      f'{path}: more than {max_pixels / 1e6:g} megapixels; make it smaller'
    ) from error
  except Image.UnidentifiedImageError as error:
    raise UserError(
      f'{path}: is not an image of a known format; give PNG, JPEG, WebP, TIFF,'
      ' BMP, AVIF or HEIC'
    ) from error
  except UserError:
    raise
  except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
    raise UserError(
      f'{path}: damaged or truncated ({str(error).splitlines()[0][:80]});'
      ' give a complete image'
    ) from error


def read_image(
  path: str | os.PathLike, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
  """Reads an image as a viewer displays it on a white page.

  Applies the EXIF orientation and the colour profile (to sRGB), composites
  transparency over white, and scales 16 bits to 8. Reads the first frame of an
  animation.

  Args:
    path: the file.
    max_pixels: larger images are refused before they are decoded.

  Returns:
    uint8 RGB [H, W, 3].

  Raises:
    UserError: the file is missing, not an image, truncated or too large.
  """
  with open_image(Path(path), max_pixels) as image:
    image.load()
    return np.asarray(ImageOps.exif_transpose(_to_rgb(image)))


def read_animation(
  path: str | os.PathLike, max_pixels: int = MAX_PIXELS
) -> Iterator[tuple[float, np.ndarray]]:
  """Reads the frames of an animated WebP, PNG or AVIF, as `read_image` does.

  Args:
    path: the file.
    max_pixels: larger ones are refused before they are decoded.

  Yields:
    (time in seconds, uint8 RGB [H, W, 3]).

  Raises:
    UserError: as `read_image`.
  """
  with open_image(Path(path), max_pixels) as image:
    time = 0.0
    for number in range(getattr(image, 'n_frames', 1)):
      image.seek(number)
      image.load()
      yield time, np.asarray(ImageOps.exif_transpose(_to_rgb(image)))
      time += image.info.get('duration', 0) / 1000


def _to_rgb(image: Image.Image) -> Image.Image:
  """Converts any mode to RGB; keeps EXIF for the orientation."""
  exif = image.getexif()
  if image.mode.startswith('I'):  # 16 bits, of either byte order
    values = np.clip(np.asarray(image, np.float64) / 257, 0, 255)
    rgb = Image.fromarray(np.rint(values).astype(np.uint8)).convert('RGB')
  elif image.mode == 'F':
    values = np.nan_to_num(np.asarray(image, np.float64))
    values = np.clip(values * (255 if values.max() <= 1 else 1), 0, 255)
    rgb = Image.fromarray(np.rint(values).astype(np.uint8)).convert('RGB')
  elif image.has_transparency_data:
    rgba = image.convert('RGBA')
    rgb = Image.new('RGB', rgba.size, 'white')
    rgb.paste(rgba, mask=rgba.getchannel('A'))
  else:
    rgb = _from_profile(image) or image.convert('RGB')
  rgb.info['exif'] = exif.tobytes()
  return rgb


def _from_profile(image: Image.Image) -> Image.Image | None:
  """Converts by the embedded colour profile; None without a usable one."""
  profile = image.info.get('icc_profile')
  if not profile or image.mode not in ('RGB', 'CMYK', 'L'):
    return None
  try:
    return ImageCms.profileToProfile(
      image,
      ImageCms.ImageCmsProfile(io.BytesIO(profile)),
      ImageCms.createProfile('sRGB'),
      outputMode='RGB',
    )
  except (ImageCms.PyCMSError, OSError, ValueError):
    return None  # an invalid profile: the plain conversion is close


def encode_png(image: np.ndarray) -> bytes:
  """Encodes uint8 RGB [H, W, 3] as PNG."""
  if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
    raise ValueError(
      f'image must be uint8 [H, W, 3], not {image.dtype} {image.shape}'
    )
  file = io.BytesIO()
  Image.fromarray(image).save(file, format='PNG')
  return file.getvalue()


def write_png(
  path: str | os.PathLike, image: np.ndarray, seal: Seal | None = None
) -> None:
  """Writes uint8 RGB [H, W, 3] as PNG; the file is complete or absent.

  Args:
    path: the file to write.
    image: the image.
    seal: called with the temporary file and its final name before it gets that
      name; for instance `flaxheads.provenance.marks.Marks.seal`.
  """
  data = encode_png(image)
  with atomic_path(path) as temporary:
    temporary.write_bytes(data)
    if seal:
      seal(temporary, Path(path).name)


def contact_sheet(
  rows: Sequence[Sequence[np.ndarray | None]],
  row_labels: Sequence[str] | None = None,
  column_labels: Sequence[str] | None = None,
  gap: int = 4,
  paper: int = 255,
) -> np.ndarray:
  """Arranges images in a table.

  Args:
    rows: rows of uint8 [H, W, 3] images of any size; None leaves a cell
      empty. Rows may differ in length.
    row_labels: text before each row.
    column_labels: text above each column.
    gap: pixels between images.
    paper: grey level of the background, 0 to 255.

  Returns:
    uint8 [H, W, 3].
  """
  num_columns = max((len(row) for row in rows), default=0)
  if not num_columns:
    raise ValueError('a contact sheet needs at least one image')
  heights = [max([1] + [i.shape[0] for i in r if i is not None]) for r in rows]
  widths = [
    max([1] + [r[c].shape[1] for r in rows if c < len(r) and r[c] is not None])
    for c in range(num_columns)
  ]
  font = ImageFont.load_default(12)
  row_labels, column_labels = list(row_labels or ()), list(column_labels or ())
  left = max([0] + [int(font.getlength(t)) + 2 * gap for t in row_labels])
  top = 18 if column_labels else 0
  xs = left + gap + np.concatenate([[0], np.cumsum(np.add(widths, gap))])
  ys = top + gap + np.concatenate([[0], np.cumsum(np.add(heights, gap))])
  sheet = Image.new('RGB', (int(xs[-1]), int(ys[-1])), (paper,) * 3)
  draw = ImageDraw.Draw(sheet)
  for y, height, label in zip(ys, heights, row_labels, strict=False):
    draw.text((gap, y + height // 2), label, 'black', font, anchor='lm')
  for x, label in zip(xs, column_labels, strict=False):
    draw.text((x, gap), label, 'black', font)
  for row, y in zip(rows, ys, strict=False):
    for image, x in zip(row, xs, strict=False):
      if image is not None:
        sheet.paste(Image.fromarray(image), (int(x), int(y)))
  return np.asarray(sheet)
