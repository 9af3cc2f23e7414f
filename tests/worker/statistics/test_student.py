"""Tests that quantiles of Student's t distribution agree with scipy."""

import pytest
from scipy import stats

from worker.statistics.student import t_quantile


@pytest.mark.parametrize("df", [1, 1.3, 2, 2.5, 4, 9.7, 30, 1000, 1e7])
def test_quantiles_of_students_t_agree_with_scipy(df: float) -> None:
    assert t_quantile(df) == pytest.approx(stats.t.ppf(0.975, df), abs=1e-6)


def test_less_than_one_degree_of_freedom_counts_as_one() -> None:
    assert t_quantile(0.2) == t_quantile(1)
