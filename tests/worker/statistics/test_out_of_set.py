import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from skimage.metrics import structural_similarity

from worker.statistics.bootstrap import Draws
from worker.statistics.cohort import CohortValues
from worker.statistics.out_of_set import InAndOutOfSet, compare_sets, kolmogorov_smirnov, wasserstein

COMPARED = ("entropy", "entropy.spatial", "top_probability")


def values(name: str, images: int, shift: float, seed: int, runs: int = 3) -> CohortValues:
    numbers = np.random.default_rng(seed).normal(shift, 0.1, (images, runs, len(COMPARED)))
    return CohortValues(
        "c", COMPARED, numbers, [], np.empty((images, 0)), [None] * images, {}, Draws(0, "0", name)
    )  # fmt: skip


def maps(seed: int, runs: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).random((runs, 12, 12))


def sets(shift: float) -> InAndOutOfSet:
    return InAndOutOfSet(values("images", 40, 0.5, 1), values("out_of_set", 30, 0.5 + shift, 2), (maps(1), maps(2)))


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), sizes=st.tuples(st.integers(1, 30), st.integers(1, 30)), levels=st.integers(2, 50))
def test_distances_of_distributions_agree_with_scipy_and_with_their_definition(
    seed: int, sizes: tuple[int, int], levels: int
) -> None:
    random = np.random.default_rng(seed)
    a, b = (random.integers(0, levels, size) / levels for size in sizes)
    assert wasserstein(a, b) == pytest.approx(stats.wasserstein_distance(a, b), abs=1e-12)
    twin = max(abs((a <= place).mean() - (b <= place).mean()) for place in [*a, *b])
    assert kolmogorov_smirnov(a, b) == pytest.approx(twin, abs=1e-12)


def test_the_difference_of_two_image_sets_is_that_of_their_means_and_lies_in_its_interval() -> None:
    two = sets(0.2)
    found = compare_sets(two, COMPARED)["entropy"]
    inside, outside = (each.column("entropy") for each in (two.inside, two.outside))
    assert found["difference"]["mean"] == pytest.approx(outside.mean() - inside.mean())
    low, high = found["difference"]["ci95"]
    assert 0.05 < low < found["difference"]["mean"] < high < 0.35
    assert (found["images"]["n"], found["out_of_set"]["n"]) == (120, 90)
    assert found["wasserstein"] == pytest.approx(stats.wasserstein_distance(inside.ravel(), outside.ravel()))
    assert found["kolmogorov_smirnov"] == pytest.approx(stats.ks_2samp(inside.ravel(), outside.ravel()).statistic)


def test_images_are_resampled_in_each_image_set_and_runs_in_both_sets_together() -> None:
    inside, outside = (values(name, 40, 0.5, 1, runs=1).resampled.whole[:, 0] for name in ("images", "out_of_set"))
    assert (outside - inside).std() == pytest.approx(np.hypot(outside.std(), inside.std()), rel=0.05)
    runs = np.repeat(np.array([0.0, 1.0, 2.0])[None, :, None], 20, axis=0).repeat(3, axis=2)
    same = [CohortValues("c", COMPARED, runs, [], np.empty((20, 0)), [None] * 20, {}, Draws(0, "0", n)) for n in "ab"]
    assert np.ptp(same[0].resampled.whole - same[1].resampled.whole) == pytest.approx(0, abs=1e-12)


def test_mean_maps_are_compared_over_all_runs_and_for_each_run() -> None:
    found = compare_sets(sets(0.0), COMPARED)
    twin = structural_similarity(maps(1).mean(0), maps(2).mean(0), data_range=1)
    assert found["mean_map"]["ssim"] == pytest.approx(twin, abs=1e-9)
    for run, each in enumerate(found["runs"]):
        twin = structural_similarity(maps(1)[run], maps(2)[run], data_range=1)
        assert each["mean_map"]["ssim"] == pytest.approx(twin, abs=1e-9)


def test_there_is_no_interval_if_few_images_are_out_of_set() -> None:
    two = InAndOutOfSet(values("images", 40, 0.5, 1), values("out_of_set", 3, 0.5, 2), (maps(1), maps(2)))
    found = compare_sets(two, COMPARED)["entropy"]
    assert found["difference"]["ci95"] is None
    assert "too few" in found["out_of_set"]["note"]
