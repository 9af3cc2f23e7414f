from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import structural_similarity
from torch import Tensor

from worker.measures import similarity
from worker.measures.similarity import ComparableMaps


def maps(seed: int, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def similarities(a: Tensor, b: Tensor, valid: Tensor | None = None) -> dict[str, Tensor]:
    return similarity.similarities(ComparableMaps(a), ComparableMaps(b), valid)


def compare(how: Callable[[ComparableMaps, ComparableMaps], Tensor], a: Tensor, b: Tensor) -> Tensor:
    return how(ComparableMaps(a), ComparableMaps(b))


@pytest.mark.parametrize("side", [3, 4, 5, 6, 7, 8, 10, 24])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ssim_agrees_with_scikit_image_at_every_size(side: int, dtype: torch.dtype) -> None:
    a, b = maps(side, 5, side, side + 1).to(dtype), maps(side + 100, 5, side, side + 1).to(dtype)
    window = min(7, side - 1 + side % 2)
    twin = [
        structural_similarity(x, y, data_range=1, win_size=window) for x, y in zip(a.numpy(), b.numpy(), strict=True)
    ]
    tolerance = 1e-4 if dtype is torch.float32 else 1e-9
    assert compare(similarity.ssim, a, b).tolist() == pytest.approx(twin, abs=tolerance)


@pytest.mark.parametrize("kind", ["smooth", "levels", "constant", "sparse"])
def test_ssim_agrees_with_scikit_image_on_maps_of_every_kind(kind: str) -> None:
    ramp = torch.linspace(0, 1, 20).expand(20, 20)
    pairs = {
        "smooth": (ramp, ramp.T),
        "levels": ((ramp * 255).floor() / 255, (ramp.T * 3).floor() / 3),
        "constant": (torch.full((20, 20), 0.3), torch.full((20, 20), 0.7)),
        "sparse": (torch.eye(20), torch.zeros(20, 20)),
    }
    a, b = pairs[kind]
    twin = structural_similarity(a.double().numpy(), b.double().numpy(), data_range=1)
    assert compare(similarity.ssim, a[None], b[None]).item() == pytest.approx(twin, abs=1e-4)


@pytest.mark.parametrize("side", [9, 24])
def test_cropped_maps_have_the_same_similarities_as_maps_made_from_the_same_pixels(side: int) -> None:
    def cut(values: Tensor) -> Tensor:
        return values[:, 1 : values.shape[1] - 2, 3:]

    a, b = maps(1, 4, side, side), maps(2, 4, side, side)
    known = similarity.similarities(ComparableMaps(a).cut(cut), ComparableMaps(cut(b)))
    anew = similarities(cut(a), cut(b))
    assert {name: value.tolist() for name, value in known.items()} == {
        name: pytest.approx(value.tolist(), abs=1e-6) for name, value in anew.items()
    }


def test_pearson_agrees_with_numpy() -> None:
    a, b = maps(1, 4, 9, 11).double(), maps(2, 4, 9, 11).double()
    twin = [np.corrcoef(x.ravel(), y.ravel())[0, 1] for x, y in zip(a.numpy(), b.numpy(), strict=True)]
    assert compare(similarity.pearson, a, b).tolist() == pytest.approx(twin, abs=1e-12)


def test_pearson_is_one_if_both_maps_are_constant_and_zero_if_only_one_is() -> None:
    flat, other, varied = torch.zeros(1, 5, 5), torch.full((1, 5, 5), 0.1), maps(3, 1, 5, 5)
    assert compare(similarity.pearson, flat, other).item() == 1
    assert compare(similarity.pearson, flat, varied).item() == compare(similarity.pearson, varied, other).item() == 0


def test_mse_is_the_mean_squared_difference() -> None:
    a, b = maps(4, 3, 6, 6).double(), maps(5, 3, 6, 6).double()
    assert compare(similarity.mse, a, b).tolist() == pytest.approx(((a - b).numpy() ** 2).mean((1, 2)).tolist())


def top_pixels(flat: list[float]) -> set[int]:
    count = round(0.2 * len(flat))
    return set(sorted(range(len(flat)), key=lambda index: (-flat[index], index))[:count])


@pytest.mark.parametrize("levels", [2, 4, 1000])
@pytest.mark.parametrize("side", [1, 3, 5, 8])
def test_iou20_prefers_pixels_of_lower_index_among_equally_salient_pixels(levels: int, side: int) -> None:
    a, b = ((maps(seed, 6, side, side) * levels).floor() / levels for seed in (6, 7))
    for x, y, found in zip(a, b, compare(similarity.iou20, a, b).tolist(), strict=True):
        one, other = top_pixels(x.flatten().tolist()), top_pixels(y.flatten().tolist())
        assert found == pytest.approx(len(one & other) / len(one | other) if one | other else 1)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), height=st.integers(2, 12), width=st.integers(2, 12))
def test_every_similarity_is_symmetric_and_within_its_range_and_best_for_equal_maps(
    seed: int, height: int, width: int
) -> None:
    a, b = maps(seed, 2, height, width), maps(seed + 1, 2, height, width)
    there, back, self = similarities(a, b), similarities(b, a), similarities(a, a)
    for name, value in there.items():
        assert torch.allclose(value, back[name], atol=1e-6)
        low = 0 if name in ("mse", "iou20") else -1
        assert low - 1e-6 <= value.min() <= value.max() <= 1 + 1e-6
        assert self[name].tolist() == pytest.approx([0, 0] if name == "mse" else [1, 1], abs=1e-5)


def test_the_similarities_of_a_pair_do_not_depend_on_the_batch() -> None:
    a, b = maps(8, 9, 24, 24), maps(9, 9, 24, 24)
    together = similarities(a, b)
    for n in range(9):
        for name, value in similarities(a[n : n + 1], b[n : n + 1]).items():
            assert value.item() == together[name][n].item()


def test_a_mask_selects_valid_pixels_and_windows_inside_them() -> None:
    a, b = (maps(seed, 3, 20, 22) for seed in (10, 11))
    valid = torch.zeros(20, 22, dtype=torch.bool)
    valid[2:17, 3:19] = True
    valid[10, 10] = False
    found = similarities(a, b, valid)
    for n in range(3):
        _, whole = structural_similarity(a[n].numpy(), b[n].numpy(), data_range=1, full=True)
        windows = [(i, j) for i in range(3, 17) for j in range(3, 19) if valid[i - 3 : i + 4, j - 3 : j + 4].all()]
        x, y = a[n][valid], b[n][valid]
        one, other = top_pixels(x.tolist()), top_pixels(y.tolist())
        assert found["ssim"][n].item() == pytest.approx(np.mean([whole[place] for place in windows]), abs=1e-4)
        assert found["pearson"][n].item() == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-5)
        assert found["mse"][n].item() == pytest.approx(((x - y) ** 2).mean().item(), abs=1e-6)
        assert found["iou20"][n].item() == pytest.approx(len(one & other) / len(one | other))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(5, 30))
def test_ssim_in_float32_agrees_with_float64_on_maps_of_grey_levels(seed: int, size: int) -> None:
    a, b = ((maps(seed + n, 2, size, size) * 255).round() / 255 for n in (0, 1))
    assert torch.allclose(
        compare(similarity.ssim, a, b).double(), compare(similarity.ssim, a.double(), b.double()), atol=1e-4
    )
