import numpy as np
import pytest

from worker.statistics.bootstrap import Draws, draw_counts, generator, interval
from worker.statistics.spread import MAX_VALUES, resample_spread

DRAWS = Draws(0, "0")


@pytest.mark.parametrize("statistic", ["sd", "q05", "q50", "q95"])
@pytest.mark.parametrize("runs", [1, 3])
def test_resampled_spreads_agree_with_resamples_made_one_by_one(statistic: str, runs: int) -> None:
    values = np.random.default_rng(1).normal(size=(40, runs))
    found = resample_spread(values, statistic, DRAWS)
    assert found is not None
    images, weights = (
        draw_counts(generator(stream, 0), 10_000, size) for stream, size in (("images", 40), ("0", runs))
    )
    twin = []
    for image, run in zip(images[:2000].astype(int), weights[:2000].astype(int), strict=True):
        drawn = values.repeat(image, axis=0).repeat(run, axis=1).ravel()
        exact = drawn.std() * np.sqrt(values.size / (values.size - 1))
        quantile = np.quantile(drawn, int(statistic[1:] or 0) / 100, method="inverted_cdf") if statistic != "sd" else 0
        twin.append(exact if statistic == "sd" else quantile)
    assert found[:2000] == pytest.approx(twin)


def test_the_interval_of_a_quantile_contains_the_true_quantile_in_most_jobs() -> None:
    held = 0
    for seed in range(60):
        values = np.random.default_rng(seed).random((200, 1))
        low, high = interval(resample_spread(values, "q25", Draws(seed, "0"))) or (0, 0)  # type: ignore[arg-type]
        held += low <= 0.25 <= high
    assert held >= 53


def test_quantiles_of_too_many_values_are_not_resampled() -> None:
    assert resample_spread(np.zeros((MAX_VALUES + 1, 1)), "q50", DRAWS) is None
