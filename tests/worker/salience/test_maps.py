import numpy as np
import pytest
import torch
from PIL import Image

from worker.salience.maps import MIN_RANGES, normalise_maps, resize_maps


def test_native_maps_range_from_zero_to_one() -> None:
    raw = torch.randn(3, 5, 7, generator=torch.Generator().manual_seed(0))
    native, degenerate = normalise_maps(raw)
    twin = [(each - each.min()) / (each.max() - each.min()) for each in raw.numpy()]
    assert np.allclose(native.numpy(), np.stack(twin), atol=1e-7)
    assert not degenerate.any()


@pytest.mark.parametrize("value", [0.0, 1e-30, -5.0, 1e20, float("nan")])
def test_a_constant_map_is_degenerate_and_becomes_zeros(value: float) -> None:
    native, degenerate = normalise_maps(torch.full((1, 4, 4), value))
    assert degenerate.item()
    assert torch.equal(native, torch.zeros(1, 4, 4))


@pytest.mark.parametrize("ends", [(0.0, float("inf")), (-3e38, 3e38), (0.0, float("nan")), (float("-inf"), 1.0)])
def test_a_map_with_an_infinite_range_is_degenerate(ends: tuple[float, float]) -> None:
    native, degenerate = normalise_maps(torch.tensor([[ends]]))
    assert degenerate.item()
    assert torch.equal(native, torch.zeros(1, 1, 2))


@pytest.mark.parametrize(
    ("precision", "limit"), [("float32", 1e-6), ("tf32", 1e-6), ("bfloat16", 1e-3), ("float16", 1e-3)]
)
@pytest.mark.parametrize("size", [1e-9, 1.0, -4e6])
def test_a_map_is_degenerate_if_its_range_is_small_relative_to_its_values(
    precision: str, limit: float, size: float
) -> None:
    raw = torch.full((3, 2, 2), size, dtype=torch.float64)
    raw[0, 0, 0] -= 0.9 * limit * size
    raw[1, 0, 0] -= 1.1 * limit * size
    assert normalise_maps(raw, MIN_RANGES[precision])[1].tolist() == [True, False, True]


def test_a_faint_map_is_not_degenerate() -> None:
    raw = 1e-20 * torch.rand(1, 4, 4, generator=torch.Generator().manual_seed(0))
    native, degenerate = normalise_maps(raw)
    assert not degenerate.item()
    assert (native.min().item(), native.max().item()) == (0, 1)


@pytest.mark.parametrize("size", [(24, 24), (30, 20), (4, 5)])
def test_resizing_agrees_with_pillows_clipped_bicubic(size: tuple[int, int]) -> None:
    native = torch.rand(2, 7, 7, generator=torch.Generator().manual_seed(1))
    found = resize_maps(native, size)
    for map_, own in zip(native.numpy(), found.numpy(), strict=True):
        twin = np.asarray(Image.fromarray(map_, mode=None).resize(size[::-1], Image.Resampling.BICUBIC))
        assert np.abs(own - twin.clip(0, 1)).max() < 1e-5
