import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from worker.measures.stability import run_pairs, stability


def maps(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_stability_is_the_mean_similarity_over_all_pairs_of_native_maps() -> None:
    native = maps(0, 4, 3, 7, 7)
    found = stability(native, maps(1, 4, 3, 14, 14))["stability"]
    for image in range(3):
        each = [native[run, image].numpy() for run in range(4)]
        twin = [structural_similarity(each[i], each[j], data_range=1) for i in range(4) for j in range(i + 1, 4)]
        assert found[image].item() == pytest.approx(np.mean(twin), abs=1e-9)


def test_equal_runs_are_perfectly_stable() -> None:
    one = maps(2, 1, 2, 8, 8)
    found = stability(one.expand(3, -1, -1, -1), one.expand(3, -1, -1, -1))
    assert found["stability"].tolist() == pytest.approx([1, 1])
    assert found["stability.resized.mse"].tolist() == [0, 0]


def test_every_pair_is_there_natively_and_resized() -> None:
    found = stability(maps(3, 3, 2, 7, 7), maps(4, 3, 2, 9, 9))
    for i, j in run_pairs(3):
        assert f"stability.pair.{i}.{j}" in found
        assert f"stability.resized.pair.{i}.{j}" in found
