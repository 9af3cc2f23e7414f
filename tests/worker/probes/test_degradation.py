import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from worker.probes.degradation import filter_matrix, guide_levels, guided_blur


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


@pytest.mark.parametrize(("height", "width"), [(24, 24), (32, 20)])
def test_the_guided_blur_is_scipys_with_a_filter_a_level(height: int, width: int) -> None:
    images = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    maps = torch.cat([salience(1, height, width), salience(2, height, width)])
    found = guided_blur(images, maps)
    for n in range(2):
        twin = slow_blur(images[n].numpy(), maps[n].numpy())
        assert np.abs(found[n].numpy() - twin).max() < 1e-5


def test_the_guide_is_scipys_filter_scaled_to_ten_and_rounded_to_a_tenth() -> None:
    maps = salience(3, 30, 30)
    assert np.allclose(guide_levels(maps)[0].numpy() / 10, slow_levels(maps[0].numpy()))


def test_where_the_map_is_all_zeros_everything_is_blurred_most() -> None:
    image, nothing = torch.rand(1, 3, 16, 16), torch.zeros(1, 16, 16)
    twin = np.stack([gaussian_filter(each.double().numpy(), 10, mode="reflect") for each in image[0]])
    assert np.abs(guided_blur(image, nothing)[0].numpy() - twin).max() < 1e-5


def test_a_picture_that_is_salient_everywhere_stays_as_it_is() -> None:
    image = torch.rand(1, 3, 16, 16)
    assert torch.equal(guided_blur(image, torch.ones(1, 16, 16)), image)


@pytest.mark.parametrize("sigma", [0.2, 1.0, 5.0, 10.0])
@pytest.mark.parametrize("size", [3, 12, 40])
def test_the_filter_matrix_is_scipys_one_dimensional_filter(size: int, sigma: float) -> None:
    values = np.random.default_rng(0).random(size)
    twin = gaussian_filter(values, sigma, mode="reflect", truncate=4)
    assert np.abs(filter_matrix(size, sigma).numpy() @ values - twin).max() < 1e-12


def test_a_pictures_blur_does_not_depend_on_its_company() -> None:
    images, maps = torch.rand(3, 3, 20, 20), torch.rand(3, 20, 20)
    together = guided_blur(images, maps)
    assert torch.equal(guided_blur(images[1:2], maps[1:2])[0], together[1])
