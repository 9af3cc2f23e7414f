from collections.abc import Callable

import numpy as np
import pytest

from worker.statistics.confidence_sequence import Confidence, log_capital, ratio_interval

CLAIM = Confidence(0.05, 400)
ONES = np.ones(60)
Draw = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]


def played(values: np.ndarray, mean: float, claim: Confidence) -> float:
    """The slow twin: the capital after betting, image by image, a stake of 1 that the true mean is above `mean`."""
    shares = [float(share) for share in claim.shares]
    stakes = [share**0.5 for share in shares]
    purses: list[float] = [stake / sum(stakes) for stake in stakes]
    for value in values:
        purses = [
            purse * (1 + share / mean * (float(value) - mean)) for purse, share in zip(purses, shares, strict=True)
        ]
    return sum(purses)


def test_an_interval_contains_the_means_that_no_bet_of_the_slow_twin_rejects() -> None:
    values = np.random.default_rng(0).beta(6, 2, 60)
    least, most = ratio_interval(values, ONES, CLAIM)
    grid = np.arange(0.001, 1, 0.001)
    left = [m for m in grid if played(values, m, CLAIM) < 40 and played(1 - values, 1 - m, CLAIM) < 40]
    assert (least, most) == pytest.approx((left[0], left[-1]), abs=0.001)
    assert least < values.mean() < most


def test_the_interval_of_a_ratio_is_the_interval_of_the_mean_over_images_that_count() -> None:
    random = np.random.default_rng(1)
    values, counts = random.random(60), (random.random(60) < 0.5).astype(float)
    kept = values[counts > 0]
    assert ratio_interval(values * counts, counts, CLAIM) == pytest.approx(
        ratio_interval(kept, np.ones(len(kept)), CLAIM)
    )


def test_an_interval_does_not_depend_on_the_order_of_the_images() -> None:
    values = np.random.default_rng(2).random(60)
    assert ratio_interval(values, ONES, CLAIM) == pytest.approx(ratio_interval(np.sort(values), ONES, CLAIM), abs=1e-12)


def test_mirrored_values_have_the_mirrored_interval() -> None:
    values = np.random.default_rng(3).beta(1, 5, 60)
    least, most = ratio_interval(values, ONES, CLAIM)
    assert ratio_interval(1 - values, ONES, CLAIM) == pytest.approx((1 - most, 1 - least))


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_the_capital_at_the_end_of_an_interval_is_forty_times_the_stake(value: float) -> None:
    least, most = ratio_interval(value * ONES, ONES, CLAIM)
    assert least == 0 if value == 0 else played(value * ONES, least, CLAIM) == pytest.approx(40)
    assert most == 1 if value == 1 else played(1 - value * ONES, 1 - most, CLAIM) == pytest.approx(40)


def test_without_images_the_interval_is_the_whole_range() -> None:
    assert ratio_interval(np.zeros(0), np.zeros(0), CLAIM) == (0, 1)
    assert ratio_interval(np.zeros(9), np.zeros(9), CLAIM) == (0, 1)


def test_intervals_are_wider_for_a_smaller_alpha_and_for_fewer_images() -> None:
    values = np.random.default_rng(4).beta(3, 3, 400)
    widths = [
        np.diff(ratio_interval(values[:images], np.ones(images), Confidence(alpha, 400)))[0]
        for images, alpha in ((400, 0.05), (400, 0.01), (100, 0.01))
    ]
    assert widths == sorted(widths)


DRAWS: dict[str, Draw] = {
    "narrow": lambda random, n: (random.beta(60, 10, n), np.ones(n)),
    "coins": lambda random, n: ((random.random(n) < 0.3).astype(float), np.ones(n)),
    "rare zeros": lambda random, n: (0.9 * (random.random(n) > 0.02), np.ones(n)),
    "of a class": lambda random, n: _of_a_class(random, n),
}
MEANS = {"narrow": 6 / 7, "coins": 0.3, "rare zeros": 0.9 * 0.98, "of a class": 0.25}


def _of_a_class(random: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    counts = (random.random(n) < 0.4).astype(float)
    return random.beta(1, 3, n) * counts, counts


@pytest.mark.parametrize("kind", DRAWS)
def test_intervals_at_looks_after_every_shard_miss_the_true_mean_in_at_most_one_of_twenty_jobs(kind: str) -> None:
    random, missed, wanted = np.random.default_rng(5), 0, np.log(2 / CLAIM.alpha)
    for _ in range(300):
        parts, wholes = DRAWS[kind](random, 400)
        missed += any(
            log_capital(some[:n], wholes[:n], mean, CLAIM) >= wanted
            for n in range(16, 401, 16)
            for some, mean in ((parts, MEANS[kind]), (wholes - parts, 1 - MEANS[kind]))
        )
    assert missed <= 0.05 * 300


def test_intervals_for_a_single_look_miss_the_true_mean_more_often_at_many_looks() -> None:
    random, missed = np.random.default_rng(6), 0
    for _ in range(300):
        values = random.beta(3, 3, 400)
        missed += any(abs(values[:n].mean() - 0.5) > 1.96 * values[:n].std() / n**0.5 for n in range(16, 401, 16))
    assert missed > 0.15 * 300
