import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from worker.probes.degradation import blur_ranked, guide_levels, guided_blur, rank
from worker.probes.filters import filter_matrix


def slow_levels(salience: np.ndarray) -> np.ndarray:
    smooth = gaussian_filter(salience.astype(np.float64), 5, mode="reflect", truncate=4)
    scaled = 10 * smooth / smooth.max() if smooth.max() > 0 else smooth
    return np.asarray(np.round(scaled, 1))


def slow_blur(image: np.ndarray, salience: np.ndarray) -> np.ndarray:
    levels, out = slow_levels(salience), np.empty(image.shape, dtype=np.float64)
    for level in np.unique(levels):
        sigma = (10 - level) ** 4 / 10**3
        for channel in range(3):
            filtered = gaussian_filter(image[channel].astype(np.float64), sigma, mode="reflect", truncate=4)
            out[channel][levels == level] = filtered[levels == level]
    return out


def salience(seed: int, height: int, width: int) -> torch.Tensor:
    coarse = torch.rand(1, 1, 4, 4, generator=torch.Generator().manual_seed(seed))
    resized = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic", antialias=True)
    return resized[0].clamp(0, 1)


@pytest.mark.parametrize(("height", "width"), [(24, 24), (32, 20), (130, 60)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_the_guided_blur_agrees_with_one_scipy_filter_per_level(
    height: int, width: int, dtype: torch.dtype, tolerance: float
) -> None:
    image = torch.rand(3, height, width, generator=torch.Generator().manual_seed(0), dtype=dtype)
    maps = torch.cat([salience(1, height, width), 1 - salience(2, height, width)])
    found = guided_blur(image, maps)
    for n in range(2):
        twin = slow_blur(image.numpy(), maps[n].numpy())
        assert np.abs(found[n].numpy() - twin).max() < tolerance


def test_guide_levels_agree_with_scipys_filter_scaled_to_ten_and_rounded_to_tenths() -> None:
    maps = salience(3, 30, 30)
    assert np.allclose(guide_levels(maps)[0].numpy() / 10, slow_levels(maps[0].numpy()))


def test_a_map_of_zeros_gives_the_strongest_blur_everywhere() -> None:
    image, nothing = torch.rand(1, 3, 16, 16), torch.zeros(1, 16, 16)
    twin = np.stack([gaussian_filter(each.double().numpy(), 10, mode="reflect") for each in image[0]])
    assert np.abs(guided_blur(image[0], nothing)[0].numpy() - twin).max() < 1e-5


def test_an_image_whose_map_is_one_everywhere_is_not_blurred() -> None:
    image = torch.rand(1, 3, 16, 16)
    assert torch.equal(guided_blur(image[0], torch.ones(1, 16, 16)), image)


@pytest.mark.parametrize("sigma", [0.2, 1.0, 5.0, 10.0])
@pytest.mark.parametrize("size", [3, 12, 40])
def test_the_filter_matrix_agrees_with_scipys_one_dimensional_filter(size: int, sigma: float) -> None:
    values = np.random.default_rng(0).random(size)
    twin = gaussian_filter(values, sigma, mode="reflect", truncate=4)
    assert np.abs(filter_matrix(size, sigma).numpy() @ values - twin).max() < 1e-12


def test_the_blur_by_one_map_does_not_depend_on_the_other_maps() -> None:
    image, guides = torch.rand(3, 20, 20), torch.rand(3, 20, 20)
    assert torch.allclose(guided_blur(image, guides[1:2])[0], guided_blur(image, guides)[1], atol=1e-6)


@pytest.mark.parametrize("most", [True, False])
def test_pixels_are_ranked_by_salience_and_equally_salient_pixels_by_the_permutation(most: bool) -> None:
    salience, ties = torch.randint(0, 3, (4, 5)) / 2, torch.randperm(20)
    place = {int(pixel): at for at, pixel in enumerate(ties)}
    flat = salience.flatten().tolist()
    twin = sorted(range(20), key=lambda pixel: (-flat[pixel] if most else flat[pixel], place[pixel]))
    assert rank(salience, ties, most).tolist() == twin


def test_the_given_share_of_pixels_is_blurred_in_the_order_of_their_ranks() -> None:
    image, blurred, ranked = torch.rand(3, 4, 5), torch.rand(3, 4, 5), torch.randperm(20)
    found, twin = blur_ranked(image, blurred, ranked, 0.25), image.flatten(1).clone()
    for pixel in ranked[:5].tolist():
        twin[:, pixel] = blurred.flatten(1)[:, pixel]
    assert torch.equal(found, twin.view(3, 4, 5))
