from typing import Any

import pytest

from service.web.comparison import compare_measures, reason_not_comparable, setting_differences
from service.web.formatting import NOTHING

CI = [0.4, 0.6]


def results(*cohorts: str, mean: float | None = 0.5, ci95: Any = CI, **spec: Any) -> dict[str, Any]:
    """Return a minimal results document with one measure of each cohort."""
    data = {"mean": mean, "ci95": ci95, "n": 9, "parts": {"spatial": {"mean": mean}, "matrix": [[1.0]]}}
    return {
        "cohorts": {name: {"measures": {"entropy": data}} for name in cohorts},
        "provenance": {
            "images": {"sha256": "1"}, "device": "cpu", "precision": "float32", "software": {"torch": "2.13"},
            "spec": {"name": "n", "seed": 0, "salience": {"method": "gradcam"}, **spec},
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("a", "b", "pairs"),
    [
        (("x",), ("y",), [("A · x", "B · y")]),
        (("x", "y"), ("y", "z"), [("A · y", "B · y")]),
        (("x", "y"), ("z",), []),
    ],
)
def test_two_jobs_are_compared_by_cohorts_with_the_same_name_or_by_their_only_cohorts(
    a: Any, b: Any, pairs: Any
) -> None:
    (measure,) = compare_measures(results(*a), results(*b))
    assert [(pair.a.label, pair.b.label) for pair in measure.pairs] == pairs
    assert len(measure.panel.marks) == len(a) + len(b)


@pytest.mark.parametrize(("ci95", "apart"), [([0.7, 0.9], True), ([0.6, 0.9], False), ([0.1, 0.3], True), (None, None)])
def test_intervals_are_disjoint_only_if_they_do_not_touch(ci95: Any, apart: bool | None) -> None:
    (measure,) = compare_measures(results("x"), results("x", mean=0.8, ci95=ci95))
    (pair,) = measure.pairs
    assert (pair.intervals_disjoint, round(pair.difference, 9)) == (apart, 0.3)
    assert measure.parts == [("spatial", 0.5, 0.8)]


def test_a_cohort_without_a_mean_is_not_compared() -> None:
    (measure,) = compare_measures(results("x"), results("x", mean=None, ci95=None))
    assert measure.pairs == []


def test_the_comparison_lists_settings_that_differ_except_names_gates_and_maps() -> None:
    own: dict[str, Any] = {"name": "m", "gate": {"rules": []}, "maps": {"keep": 0}}
    found = setting_differences(
        results("x"), results("y", seed=3, salience={"method": "cam"}, measures=["noise"], **own)
    )
    assert [(each.field, each.a, each.b) for each in found] == [
        ("seed", "0", "3"),
        ("salience.method", "gradcam", "cam"),
        ("measures", NOTHING, '["noise"]'),
    ]


def test_results_of_different_images_are_not_comparable() -> None:
    a, b = results("x"), results("x")
    assert reason_not_comparable(a, b) is None
    b["provenance"]["images"] = {"sha256": "2"}
    assert reason_not_comparable(a, b) == "they audited different images"


@pytest.mark.parametrize(("formats", "named"), [((3, 4), ("3", "4")), ((None, 4), ("1", "4"))])
def test_results_of_different_formats_are_not_comparable(formats: tuple[int | None, int], named: Any) -> None:
    a, b = ({**results("x"), "format": number} if number else results("x") for number in formats)
    reason = reason_not_comparable(a, b)
    assert reason is not None
    assert all(f"format {number}" in reason for number in named)
    assert "audit the older one again" in reason
