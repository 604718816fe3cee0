"""PSNR and SSIM against scikit-image, formulas and mistakes on purpose."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from flaxheads.errors import UserError
from flaxheads.metrics import image

SIZE = 48


def _picture(seed, height=SIZE, width=SIZE):
  """A gradient with a bright box and noise: something like an image."""
  rng = np.random.default_rng(seed)
  y, x = np.mgrid[:height, :width]
  picture = np.stack([x / width, y / height, (x + y) / (height + width)], -1)
  picture[5:20, 8:20] = rng.uniform(size=3)
  picture += rng.normal(scale=0.08, size=picture.shape)
  return picture.clip(0, 1).astype(np.float32)


@pytest.fixture(scope='module')
def pairs():
  return (
    np.stack([_picture(seed) for seed in range(3)]),
    np.stack([_picture(seed + 10) for seed in range(3)]),
  )


def test_ssim_equals_scikit_image(pairs):
  expected = [
    structural_similarity(
      a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
      data_range=1, channel_axis=-1,
    )
    for a, b in zip(*pairs, strict=True)
  ]  # fmt: skip
  np.testing.assert_allclose(image.ssim(*pairs), expected, atol=1e-4)


def test_ssim_equals_scikit_image_on_oblong_images():
  a, b = _picture(1, 40, 56), _picture(2, 40, 56)
  expected = structural_similarity(
    a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    data_range=1, channel_axis=-1,
  )  # fmt: skip
  np.testing.assert_allclose(image.ssim(a, b), expected, atol=1e-4)


def test_psnr_equals_scikit_image(pairs):
  expected = [
    peak_signal_noise_ratio(a, b, data_range=1)
    for a, b in zip(*pairs, strict=True)
  ]
  np.testing.assert_allclose(image.psnr(*pairs), expected, rtol=1e-5)


def test_psnr_of_a_known_error_is_20_db():
  a = np.full((12, 12, 3), 0.5, np.float32)
  np.testing.assert_allclose(image.psnr(a, a + 0.1), 20, atol=1e-4)


def test_equal_images_have_capped_psnr_and_ssim_one(pairs):
  a = pairs[0]
  np.testing.assert_array_equal(image.psnr(a, a), [image.MAX_PSNR] * 3)
  np.testing.assert_allclose(image.ssim(a, a), 1, atol=1e-6)


def test_metrics_are_symmetric(pairs):
  a, b = pairs
  np.testing.assert_allclose(image.psnr(a, b), image.psnr(b, a), rtol=1e-6)
  np.testing.assert_allclose(image.ssim(a, b), image.ssim(b, a), rtol=1e-5)


def test_leading_axes_are_kept(pairs):
  a, b = (np.stack([x, x]) for x in pairs)  # [2, 3, S, S, 3]
  assert image.psnr(a, b).shape == image.ssim(a, b).shape == (2, 3)
  np.testing.assert_allclose(image.ssim(a, b)[1], image.ssim(*pairs))


def test_mask_counts_only_its_pixels():
  a = np.zeros((2, 12, 12, 3), np.float32)
  b = a.copy()
  b[:, :4] = 0.1  # 20 dB in there
  b[:, 4:] = 1.0
  mask = np.zeros((2, 12, 12), bool)
  mask[:, :4] = True
  np.testing.assert_allclose(image.psnr(a, b, mask), 20, atol=1e-4)
  np.testing.assert_allclose(image.psnr(a, b, ~mask), 0, atol=1e-4)
  everything = np.ones_like(mask)
  np.testing.assert_allclose(image.psnr(a, b, everything), image.psnr(a, b))


def test_empty_mask_has_no_value(pairs):
  a, b = pairs
  assert np.isnan(image.psnr(a, b, np.zeros(a.shape[:-1], bool))).all()


def test_works_inside_jit(pairs):
  inside = jax.jit(lambda a, b: (image.psnr(a, b), image.ssim(a, b)))
  np.testing.assert_allclose(inside(*pairs)[0], image.psnr(*pairs), rtol=1e-6)
  np.testing.assert_allclose(inside(*pairs)[1], image.ssim(*pairs), rtol=1e-5)


@pytest.mark.parametrize(
  'spoil',
  [
    lambda x: x.swapaxes(-3, -2),  # sideways
    lambda x: x[..., ::-1],  # BGR
    lambda x: x[..., ::-1, :],  # mirrored
    lambda x: np.roll(x, 2, axis=-2),  # a shift of two pixels
  ],
)
def test_spoilt_images_are_measured_as_worse(pairs, spoil):
  a = pairs[0]
  noisy = (a + 0.02).clip(0, 1)
  assert np.all(image.psnr(a, spoil(a)) < image.psnr(a, noisy) - 5)
  assert np.all(image.ssim(a, spoil(a)) < image.ssim(a, noisy) - 0.05)


@pytest.mark.parametrize('metric', [image.psnr, image.ssim])
@pytest.mark.parametrize(
  ('spoil', 'message'),
  [
    (lambda x: x * 255, r'\[0, 1\] is needed'),
    (lambda x: x * 2 - 1, r'\[0, 1\] is needed'),
    (lambda x: x * np.nan, r'\[0, 1\] is needed'),
    (lambda x: (x * 255).astype(np.uint8), 'uint8 given'),
    (lambda x: x.transpose(0, 3, 1, 2), r'H, W, 3\] is needed'),
    (lambda x: x[..., :1], r'H, W, 3\] is needed'),
    (lambda x: x[:, 1:], 'differ'),
    (lambda x: x[:1], 'differ'),
  ],
)
def test_wrong_images_are_refused(pairs, metric, spoil, message):
  with pytest.raises(UserError, match=message):
    metric(pairs[0], spoil(pairs[1]))
  with pytest.raises(UserError, match=message):
    metric(spoil(pairs[1]), pairs[0])


def test_transposed_oblong_images_are_refused():
  a = _picture(0, 40, 56)
  with pytest.raises(UserError, match='differ'):
    image.ssim(a, a.swapaxes(0, 1))


def test_ssim_refuses_images_smaller_than_its_window():
  a = jnp.zeros((10, 20, 3))
  with pytest.raises(UserError, match='at least 11x11'):
    image.ssim(a, a)


def test_mask_of_another_shape_is_refused(pairs):
  with pytest.raises(UserError, match='mask'):
    image.psnr(*pairs, np.ones((SIZE, SIZE), bool))


def test_to_unit_range_takes_only_bytes():
  frames = np.array([[[0, 51, 255]]], np.uint8)
  np.testing.assert_allclose(image.to_unit_range(frames), [[[0, 0.2, 1]]])
  with pytest.raises(UserError, match='uint8 is needed'):
    image.to_unit_range(frames.astype(np.float32))
