import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from worker.measures.stability import run_pairs, score


def maps(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_stability_is_the_mean_ssim_over_all_pairs_of_native_maps() -> None:
    native = maps(0, 4, 3, 7, 7)
    found = score(native, maps(1, 4, 3, 14, 14))["stability"]
    for image in range(3):
        each = [native[run, image].numpy() for run in range(4)]
        twin = [structural_similarity(each[i], each[j], data_range=1) for i in range(4) for j in range(i + 1, 4)]
        assert found[image].item() == pytest.approx(np.mean(twin), abs=1e-9)


def test_equal_runs_have_a_stability_of_one() -> None:
    one = maps(2, 1, 2, 8, 8)
    found = score(one.expand(3, -1, -1, -1), one.expand(3, -1, -1, -1))
    assert found["stability"].tolist() == pytest.approx([1, 1])
    assert found["stability.resized.mse"].tolist() == [0, 0]


def test_every_pair_of_runs_has_a_similarity_of_native_and_resized_maps() -> None:
    found = score(maps(3, 3, 2, 7, 7), maps(4, 3, 2, 9, 9))
    for i, j in run_pairs(3):
        assert f"stability.pair.{i}.{j}" in found
        assert f"stability.resized.pair.{i}.{j}" in found


def test_pairs_with_a_degenerate_map_are_missing_and_do_not_count_in_the_mean() -> None:
    native, resized = maps(3, 3, 4, 7, 7), maps(4, 3, 4, 14, 14)
    degenerate = torch.zeros(3, 4, dtype=torch.bool)
    degenerate[2, 1] = True  # image 1 is degenerate under one run, image 2 under two, image 3 under all
    degenerate[1:, 2] = True
    degenerate[:, 3] = True
    whole, found = score(native, resized), score(native, resized, degenerate)
    for kind in ("stability", "stability.pearson", "stability.mse", "stability.resized", "stability.resized.iou20"):
        assert found[kind][0].item() == whole[kind][0].item()
        assert found[kind].isnan().tolist() == [False, False, True, True]
    for name in ("stability", "stability.resized"):
        assert found[name][1].item() == whole[f"{name}.pair.0.1"][1].item()
        for pair, missing in (("0.1", [2, 3]), ("0.2", [1, 2, 3]), ("1.2", [1, 2, 3])):
            assert found[f"{name}.pair.{pair}"].isnan().nonzero()[:, 0].tolist() == missing
