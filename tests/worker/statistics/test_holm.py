import pytest

from worker.statistics.holm import adjusted_p_values


def test_the_smallest_of_n_p_values_is_multiplied_by_n_and_the_next_by_n_minus_1() -> None:
    assert adjusted_p_values([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_adjusted_p_values_keep_the_order_of_the_p_values_and_are_at_most_one() -> None:
    assert adjusted_p_values([0.02, 0.021]) == pytest.approx([0.04, 0.04])
    assert adjusted_p_values([0.9, 0.8, 0.7]) == [1.0, 1.0, 1.0]
    assert adjusted_p_values([]) == []


def test_step_down_rejects_what_holms_procedure_rejects() -> None:
    p_values, alpha = [0.001, 0.012, 0.02, 0.04, 0.6], 0.05
    rejected, remaining = set(), sorted(p_values)
    while remaining and remaining[0] <= alpha / len(remaining):
        rejected.add(remaining.pop(0))
    assert {
        p for p, adjusted in zip(p_values, adjusted_p_values(p_values), strict=True) if adjusted <= alpha
    } == rejected
