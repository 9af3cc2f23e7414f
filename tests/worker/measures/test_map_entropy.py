import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy as scipy_entropy
from skimage.measure import shannon_entropy

from worker.measures.map_entropy import entropy, entropy_spatial


def maps(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("height", "width"), [(2, 2), (7, 7), (8, 5), (16, 16), (20, 20)])
@pytest.mark.parametrize("levels", [3, 255, 10**6])
def test_entropy_is_the_entropy_of_scikit_image_over_its_largest_value(height: int, width: int, levels: int) -> None:
    batch = (maps(height, 4, height, width) * levels).round() / levels
    largest = math.log2(min(height * width, 256))
    twin = [shannon_entropy(np.floor(255 * each.numpy())) / largest for each in batch]
    assert entropy(batch).tolist() == pytest.approx(twin, abs=1e-6)


def test_a_map_with_a_different_level_at_every_pixel_has_entropy_one() -> None:
    assert entropy((torch.arange(49.0) / 48).reshape(1, 7, 7)).item() == pytest.approx(1)


def test_entropy_rounds_values_down_to_levels() -> None:
    just_below = torch.tensor([[[0.0, 0.99 / 255], [1.99 / 255, 1.0]]])
    assert entropy(just_below).item() == pytest.approx(shannon_entropy(np.array([0, 0, 1, 255])) / 2)


def test_spatial_entropy_agrees_with_scipys_entropy_of_the_map() -> None:
    batch = maps(1, 5, 7, 6)
    twin = [scipy_entropy(each.double().numpy().ravel(), base=2) / math.log2(42) for each in batch]
    assert entropy_spatial(batch).tolist() == pytest.approx(twin, abs=1e-6)


def test_a_map_of_zeros_has_entropy_zero_and_spatial_entropy_one() -> None:
    nothing = torch.zeros(2, 7, 7)
    assert entropy(nothing).tolist() == [0, 0]
    assert entropy_spatial(nothing).tolist() == [1, 1]


def test_a_map_with_one_bright_pixel_has_spatial_entropy_zero() -> None:
    point = torch.zeros(1, 7, 7)
    point[0, 3, 3] = 1
    assert entropy_spatial(point).item() == 0
