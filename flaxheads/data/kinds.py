"""Recognises file formats by their first bytes, because names may be wrong.

Browsers save JPEGs as .jfif, phones send JPEGs named .heic, and WebP, PNG and
AVIF may hold one image or an animation.
"""

import os
import struct
from pathlib import Path

from flaxheads.errors import UserError

IMAGE, VIDEO, SOUND = 'image', 'video', 'sound'

IMAGE_EXTENSIONS = frozenset(
  '.png .jpg .jpeg .jpe .jfif .mpo .webp .bmp .tif .tiff .ppm .pgm .pnm .avif'
  ' .heic .heif'.split()
)
VIDEO_EXTENSIONS = frozenset(
  '.mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .ts .mts .m2ts .3gp .flv .wmv .ogv'
  ' .gif .apng'.split()
)
SOUND_EXTENSIONS = frozenset(
  '.wav .mp3 .m4a .m4b .aac .flac .ogg .oga .opus'.split()
)
# Camera raw is TIFF, but what a TIFF reader finds in it is a small preview.
_RAW = frozenset('.dng .nef .cr2 .cr3 .arw .orf .rw2 .raf .pef .srw'.split())
_HEAD = 4096  # bytes that are read
_PNG = b'\x89PNG\r\n\x1a\n'
_IMAGES = (b'\xff\xd8\xff', b'II*\0', b'MM\0*')  # JPEG, TIFF
_VIDEOS = (
  b'GIF8',
  b'\x1a\x45\xdf\xa3',  # Matroska, WebM
  b'\0\0\1\xba',  # MPEG
  b'\0\0\1\xb3',
  b'FLV\1',
  b'\x30\x26\xb2\x75\x8e\x66\xcf\x11',  # WMV
)
_SOUNDS = (b'fLaC', b'ID3')  # others are known by name
_IMAGE_BRANDS = frozenset(
  b'avif heic heix heim heis mif1 hevc hevx msf1'.split()
)
_SOUND_BRANDS = frozenset([b'M4A ', b'M4B '])
_PACKET = 188  # bytes of an MPEG transport stream


def kind_of(path: str | os.PathLike) -> str | None:
  """IMAGE, VIDEO, SOUND, or None for other files and folders.

  An animated image is a video, and so is a GIF. A file whose bytes say nothing
  is what its name says.
  """
  path = Path(path)
  if path.is_dir() or path.suffix.lower() in _RAW:
    return None
  try:
    with path.open('rb') as file:
      kind = _kind_of_bytes(file.read(_HEAD))
  except OSError:
    kind = None
  return kind or _kind_of_name(path)


def list_images(path: Path) -> list[Path]:
  """The image itself, or the images of a folder sorted by name.

  Raises:
    UserError: the folder has no image.
  """
  if not path.is_dir():
    return [path]
  found = sorted(
    p
    for p in path.iterdir()
    if not p.name.startswith('.') and kind_of(p) == IMAGE
  )
  if not found:
    raise UserError(
      f'{path}: the folder has no image; give PNG, JPEG or WebP files'
    )
  return found


def is_animation(path: str | os.PathLike) -> bool:
  """Whether a file is an animated WebP, PNG or AVIF, which Pillow reads."""
  try:
    with Path(path).open('rb') as file:
      head = file.read(_HEAD)
  except OSError:
    return False
  known = head.startswith((_PNG, b'RIFF')) or head[8:12] == b'avis'
  return known and head[8:12] != b'AVI ' and _kind_of_bytes(head) == VIDEO


def _kind_of_name(path: Path) -> str | None:
  suffix = path.suffix.lower()
  if suffix in IMAGE_EXTENSIONS:
    return IMAGE
  if suffix in SOUND_EXTENSIONS:
    return SOUND
  return VIDEO if suffix in VIDEO_EXTENSIONS else None


def _kind_of_bytes(head: bytes) -> str | None:
  if head.startswith(_PNG):
    return VIDEO if _has_animation_chunk(head) else IMAGE
  if head.startswith(b'RIFF'):
    return _kind_of_riff(head)
  if head[4:8] == b'ftyp':
    return _kind_of_brand(head[8:12])
  if head.startswith(_VIDEOS) or _is_transport_stream(head):
    return VIDEO
  if head.startswith(_SOUNDS):
    return SOUND
  portable = head[:1] == b'P' and head[1:2] in b'123456' and head[2:3].isspace()
  bitmap = head.startswith(b'BM') and head[6:10] == bytes(4)
  return IMAGE if head.startswith(_IMAGES) or portable or bitmap else None


def _has_animation_chunk(png: bytes) -> bool:
  """Whether acTL comes before the image data, as in an animated PNG."""
  place = len(_PNG)
  while place + 8 <= len(png):
    length, name = struct.unpack_from('>I4s', png, place)
    if name in (b'acTL', b'IDAT'):
      return name == b'acTL'
    place += 12 + length
  return False


def _kind_of_riff(head: bytes) -> str | None:
  form = head[8:12]
  if form == b'WEBP':
    # Bit 1 of the flags of the extended header: see the WebP container format.
    animated = head[12:16] == b'VP8X' and len(head) > 20 and head[20] & 2
    return VIDEO if animated else IMAGE
  return {b'AVI ': VIDEO, b'WAVE': SOUND}.get(form)


def _kind_of_brand(brand: bytes) -> str | None:
  if brand in _SOUND_BRANDS:
    return SOUND
  return IMAGE if brand in _IMAGE_BRANDS else VIDEO


def _is_transport_stream(head: bytes) -> bool:
  # Cameras put a time of four bytes before each packet (.mts, .m2ts).
  return any(
    len(head) > start + 2 * size
    and all(head[start + i * size] == 0x47 for i in range(3))
    for start, size in ((0, _PACKET), (4, _PACKET + 4))
  )
