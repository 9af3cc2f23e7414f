import numpy as np
import pytest
from scipy import stats

from worker.statistics.variance import MeanSquare, Variance


@pytest.mark.parametrize("freedom", [1, 2, 4, 49, 10_000])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_a_single_mean_square_gives_the_interval_and_the_p_value_of_students_t(freedom: int, alpha: float) -> None:
    variance = Variance([MeanSquare(0.04, freedom)])
    assert variance.half_width(alpha) == pytest.approx(stats.t.ppf(1 - alpha / 2, freedom) * 0.2, rel=2e-3)
    assert variance.p_value(0.5) == pytest.approx(2 * stats.t.sf(2.5, freedom), rel=5e-3)


def test_the_interval_of_several_mean_squares_agrees_with_a_simulation() -> None:
    added = [MeanSquare(1.0, 2), MeanSquare(0.7, 4), MeanSquare(0.9, 49)]
    subtracted = [MeanSquare(0.5, 98), MeanSquare(0.3, 196)]
    random, draws = np.random.default_rng(0), 1_000_000
    plausible = {each: each.value * each.freedom / random.chisquare(each.freedom, draws) for each in added + subtracted}
    total = sum(plausible[each] for each in added) - sum(plausible[each] for each in subtracted)
    largest = np.max([plausible[each] for each in added], axis=0)
    deviations = np.abs(random.standard_normal(draws)) * np.sqrt(np.maximum(total, largest))
    assert Variance(added, subtracted).half_width() == pytest.approx(np.quantile(deviations, 0.95), rel=0.01)
    assert Variance(added, subtracted).p_value(3.0) == pytest.approx(np.mean(deviations > 3.0), rel=0.02)


def test_the_p_value_is_the_smallest_alpha_whose_interval_excludes_zero() -> None:
    variance = Variance([MeanSquare(0.5, 2), MeanSquare(0.3, 99)], [MeanSquare(0.1, 198)])
    assert variance.p_value(variance.half_width(0.03)) == pytest.approx(0.03)
    assert variance.p_value(0.0) == 1.0


def test_an_interval_is_cut_at_the_bounds_of_its_values_and_contains_the_mean() -> None:
    variance = Variance([MeanSquare(0.01, 4)])
    assert variance.interval(0.95, (0.0, 1.0))[1] == 1.0
    assert variance.interval(0.05, (0.0, 1.0))[0] == 0.0
    assert variance.interval(1.0000001, (0.0, 1.0))[1] == 1.0000001


def test_the_interval_of_values_without_spread_has_no_width() -> None:
    variance = Variance([MeanSquare(0.0, 2), MeanSquare(0.0, 9)], [MeanSquare(0.0, 18)])
    assert variance.interval(0.5, (0.0, 1.0)) == [0.5, 0.5]
    assert (variance.p_value(0.5), variance.p_value(0.0)) == (0.0, 1.0)


def test_an_estimated_variance_is_never_below_a_mean_square_that_it_adds() -> None:
    assert Variance([MeanSquare(0.2, 2), MeanSquare(0.1, 9)], [MeanSquare(0.15, 18)]).estimate == pytest.approx(0.2)
