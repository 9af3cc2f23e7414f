import numpy as np
import pytest

from worker.statistics.describe import compare, describe, why_no_interval


def test_statistics_of_a_column_agree_with_numpy() -> None:
    values = np.random.default_rng(0).random((10, 3))
    found = describe(values)
    assert found["mean"] == pytest.approx(values.mean())
    assert found["sd"] == pytest.approx(values.std(ddof=1))
    assert [found[f"q{q:02}"] for q in (5, 25, 50, 75, 95)] == pytest.approx(
        np.percentile(values, [5, 25, 50, 75, 95]).tolist()
    )
    assert found["n"] == 30


def test_mean_and_count_ignore_missing_values() -> None:
    assert describe(np.array([1.0, np.nan, 3.0]))["mean"] == 2
    assert describe(np.array([1.0, np.nan, 3.0]))["n"] == 2


def test_without_values_there_are_no_statistics_and_of_one_value_there_is_no_spread() -> None:
    nothing, one = describe(np.array([np.nan])), describe(np.array([0.5]))
    assert (nothing["mean"], nothing["n"]) == (None, 0)
    assert (one["mean"], one["sd"], one["n"]) == (0.5, None, 1)


@pytest.mark.parametrize(("images", "few"), [(4, True), (5, False)])
def test_with_fewer_than_five_images_there_is_no_spread_or_interval_even_with_ten_runs(images: int, few: bool) -> None:
    found = describe(np.random.default_rng(0).random((images, 10)))
    assert (found["sd"] is None, why_no_interval(images, 0.0) is not None) == (few, few)


def test_a_difference_is_paired_by_image() -> None:
    a = np.array([1.0, 2.0, 4.0, 1.0, 2.0])
    b = np.array([0.5, 1.0, 2.0, 1.0, 2.0])
    found = compare(a, b)
    assert found["mean"] == pytest.approx(3.5 / 5)
    assert found["d_z"] == pytest.approx(np.mean(a - b) / np.std(a - b, ddof=1))


def test_a_difference_without_spread_has_no_effect_size() -> None:
    assert compare(np.ones(6), np.zeros(6))["d_z"] is None
