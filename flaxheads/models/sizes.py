"""Channels and resolutions of the networks, computed from the image size.

At 256² with 64 base and at most 512 channels they are those of Zakharov et al.
2019: 64-128-256-512-512-512 down to 4².
"""

FINAL_SIZE = 4  # resolution at which embedder and discriminator pool


def channels_at(
  size: int, image_size: int, base_channels: int, max_channels: int
) -> int:
  """Channels of a feature map of `size`² in a network for `image_size`²."""
  wanted = base_channels * image_size // (2 * size)
  return min(max(wanted, base_channels), max_channels)


def down_sizes(image_size: int, final_size: int) -> tuple[int, ...]:
  """Output resolutions of the down blocks: image_size / 2 ... final_size."""
  sizes = []
  while image_size > final_size:
    image_size //= 2
    sizes.append(image_size)
  return tuple(sizes)


def up_sizes(image_size: int, bottleneck_size: int) -> tuple[int, ...]:
  """Output resolutions of the up blocks: 2 * bottleneck ... image_size."""
  return tuple(2 * size for size in down_sizes(image_size, bottleneck_size))[
    ::-1
  ]


def attention_down_size(image_size: int) -> int:
  """32 as in the paper, or a quarter of the image size if that is less."""
  return min(32, image_size // 4)


def attention_up_size(image_size: int, bottleneck_size: int) -> int:
  """64 as in the paper, or a quarter of the image size if that is less.

  At least the first size above the bottleneck.
  """
  return max(min(64, image_size // 4), 2 * bottleneck_size)
