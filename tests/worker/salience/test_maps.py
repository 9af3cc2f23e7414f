import numpy as np
import pytest
import torch
from PIL import Image

from worker.salience.maps import normalise_maps, resize_maps


def test_native_maps_run_from_zero_to_one() -> None:
    raw = torch.randn(3, 5, 7, generator=torch.Generator().manual_seed(0))
    native, degenerate = normalise_maps(raw)
    twin = [(each - each.min()) / (each.max() - each.min()) for each in raw.numpy()]
    assert np.allclose(native.numpy(), np.stack(twin), atol=1e-7)
    assert not degenerate.any()


@pytest.mark.parametrize("value", [0.0, 1e-30, -5.0, 1e20, float("nan")])
def test_a_map_without_range_is_degenerate_and_all_zeros(value: float) -> None:
    native, degenerate = normalise_maps(torch.full((1, 4, 4), value))
    assert degenerate.item()
    assert torch.equal(native, torch.zeros(1, 4, 4))


@pytest.mark.parametrize("ends", [(0.0, float("inf")), (-3e38, 3e38), (0.0, float("nan"))])
def test_a_map_whose_range_is_no_finite_number_is_degenerate(ends: tuple[float, float]) -> None:
    native, degenerate = normalise_maps(torch.tensor([[ends]]))
    assert degenerate.item()
    assert torch.equal(native, torch.zeros(1, 1, 2))


def test_a_map_of_small_range_is_degenerate_only_below_the_limit() -> None:
    raw = torch.zeros(2, 2, 2, dtype=torch.float64)
    raw[0, 0, 0], raw[1, 0, 0] = 0.9e-12, 1.1e-12
    assert normalise_maps(raw)[1].tolist() == [True, False]


@pytest.mark.parametrize("size", [(24, 24), (30, 20), (4, 5)])
def test_resizing_is_pillows_bicubic_clipped(size: tuple[int, int]) -> None:
    native = torch.rand(2, 7, 7, generator=torch.Generator().manual_seed(1))
    found = resize_maps(native, size)
    for map_, own in zip(native.numpy(), found.numpy(), strict=True):
        twin = np.asarray(Image.fromarray(map_, mode=None).resize(size[::-1], Image.Resampling.BICUBIC))
        assert np.abs(own - twin.clip(0, 1)).max() < 1e-5
