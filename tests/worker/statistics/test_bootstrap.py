import numpy as np
import pytest
from scipy import stats

from worker.statistics.bootstrap import (
    RESAMPLES,
    Draws,
    draw_counts,
    generator,
    interval,
    resample_means,
)


def one_run(values: np.ndarray) -> np.ndarray:
    return resample_means(values[:, None, None], np.ones((len(values), 1)), Draws(0, "s")).whole[:, 0]


def test_an_interval_over_images_agrees_with_scipys_bootstrap() -> None:
    values = np.random.default_rng(0).gamma(2, size=60)
    twin = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", random_state=1)
    found = interval(one_run(values))
    assert found == pytest.approx(list(twin.confidence_interval), abs=0.02 * values.std())


def test_means_vary_with_the_resampled_runs_if_all_images_are_equal() -> None:
    values = np.repeat(np.array([0.0, 1.0, 2.0])[None, :, None], 20, axis=0)
    means = resample_means(values, np.ones((20, 3)), Draws(0, "s")).whole[:, 0]
    twin = np.random.default_rng(0).choice([0.0, 1.0, 2.0], (RESAMPLES, 3)).mean(1)
    assert np.quantile(means, [0.025, 0.5, 0.975]) == pytest.approx(np.quantile(twin, [0.025, 0.5, 0.975]), abs=0.1)
    assert means.std() == pytest.approx(twin.std(), rel=0.05)


def test_a_resampled_mean_is_the_mean_over_the_drawn_images_and_the_drawn_runs() -> None:
    values = np.random.default_rng(1).random((5, 3, 2))
    found = resample_means(values, np.ones((5, 3)), Draws(4, "s"))
    images = draw_counts(generator("images", 4), RESAMPLES, 5)[0]
    runs = draw_counts(generator("s", 4), RESAMPLES, 3)[0]
    twin = np.einsum("n,k,nkc->c", images, runs, values) / (images.sum() * runs.sum())
    assert found.whole[0] == pytest.approx(twin)
    assert found.runs[0] == pytest.approx(np.einsum("n,nkc->kc", images, values) / 5)


def test_unused_values_do_not_change_the_means() -> None:
    values = np.random.default_rng(2).random((30, 2, 1))
    used = (np.arange(60).reshape(30, 2) % 3 > 0).astype(float)
    spoilt = np.where(used[:, :, None] > 0, values, np.nan)
    means = resample_means(spoilt, used, Draws(0, "s")).whole[:, 0]
    assert np.isfinite(means).all()
    assert means.mean() == pytest.approx(values[used > 0].mean(), abs=0.01)


def test_equal_seeds_give_equal_intervals_and_different_seeds_different_ones() -> None:
    values = np.random.default_rng(3).random((20, 2, 1))
    used = np.ones((20, 2))
    first, again, other = (resample_means(values, used, Draws(seed, "s")).whole for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_there_is_no_interval_if_too_few_resamples_have_a_mean() -> None:
    assert interval(np.full(100, np.nan)) is None
    assert interval(np.where(np.arange(100) < 90, np.nan, 1.0)) is None


def test_a_95_percent_interval_of_one_run_contains_the_true_mean_in_92_to_97_percent_of_jobs() -> None:
    draws, held, times = np.random.default_rng(4), 0, 300
    for _ in range(times):
        found = interval(one_run(draws.normal(0.5, 0.1, 40)))
        assert found is not None
        held += found[0] <= 0.5 <= found[1]
    assert 0.92 <= held / times <= 0.97


def test_the_bootstrap_of_zero_columns_gives_zero_means() -> None:
    found = resample_means(np.empty((6, 2, 0)), np.ones((6, 2)), Draws(0, "x"))
    assert found.whole.shape == (RESAMPLES, 0)
