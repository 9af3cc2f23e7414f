from typing import Any

import pytest

from service.gate import Missing, Rule, evaluate, number_lookup

ENTROPY = {"mean": 0.8, "ci95": [0.7, 0.9], "n": 40}


def document(**changes: Any) -> dict[str, Any]:
    parts = {"0.1": {"mean": 0.6, "ci95": [0.5, 0.7], "pearson": 0.4, "pearson_ci95": [0.3, 0.5], "mse": 0.1}}
    cohort = {
        "accuracy": 0.9,
        "accuracy_ci95": [0.85, 0.95],
        "measures": {
            "entropy": ENTROPY,
            "noise": {"mean": 0.5, "ci95": None, "parts": parts},
            "stability": {"mean": 0.3, "ci95": [0.2, 0.4], "parts": {"matrix": [[1.0, 0.3], [0.3, 1.0]]}},
            "human": {"mean": None, "ci95": None},
        },
        "runs": [{"accuracy": 0.8, "measures": {"entropy": ENTROPY | {"mean": 0.75}}}],
        "strata": {"class": {"a": {"entropy": ENTROPY}, "a.b": {"entropy": ENTROPY | {"mean": 0.85}}}},
    }
    difference = {"a": "x", "b": "y", "measure": "entropy", "mean": 0.1, "ci95": [0.05, 0.2]}
    found = {
        "cohorts": {"x": cohort, "y": cohort},
        "differences": [difference],
        "provenance": {"images": {"read": 20}},
    }
    return found | changes


def find(path: str, results: dict[str, Any] | None = None, **rule: Any) -> Any:
    request = {"measure": path, "cohort": "x", "op": ">=", "value": 0.0} | rule
    return number_lookup(results or document())(Rule.model_validate(request))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("entropy", 0.8),
        ("measures.entropy", 0.8),
        ("noise.parts.0.1", 0.6),
        ("noise.parts.0.1.pearson", 0.4),
        ("strata.class.a.entropy", 0.8),
        ("strata.class.a.b.entropy", 0.85),
        ("runs.0.measures.entropy", 0.75),
        ("accuracy", 0.9),
        ("stability.parts.matrix.0.1", 0.3),
    ],
)
def test_a_rule_finds_a_number_by_its_path_even_if_keys_contain_dots(path: str, value: float) -> None:
    assert find(path).value == value


def test_a_number_is_found_with_its_interval_and_its_number_of_images() -> None:
    assert find("noise.parts.0.1").interval == (0.5, 0.7)
    assert find("noise.parts.0.1", statistic="pearson").interval == (0.3, 0.5)
    assert find("accuracy").interval == (0.85, 0.95)
    assert find("noise.parts.0.1", statistic="mse").interval is None
    assert find("noise").interval is None
    assert find("stability.parts.matrix.0.1").interval is None
    assert find("entropy").images == 20


@pytest.mark.parametrize(
    ("path", "rule", "message"),
    [
        ("beauty", {}, "have no beauty"),
        ("noise.parts.0.2", {}, "have no noise.parts.0.2"),
        ("entropy", {"cohort": "z"}, "no cohort 'z', only x, y"),
        ("entropy", {"cohort": None}, "x, y"),
        ("entropy", {"statistic": "pearson"}, "no pearson"),
        ("human", {}, "could not be computed"),
        ("noise.parts", {}, "no mean"),
        ("runs", {}, "could not be computed"),
        ("noise", {"value": None, "versus": "y", "margin": 0}, "do not compare noise .*; submit the job again"),
        ("entropy", {"value": None, "versus": "z", "margin": 0}, "no cohort 'z', only x, y"),
    ],
)
def test_the_lookup_says_why_the_results_do_not_contain_a_number(path: str, rule: dict[str, Any], message: str) -> None:
    with pytest.raises(Missing, match=message):
        find(path, **rule)


def test_a_difference_is_found_for_either_order_of_its_cohorts() -> None:
    one = find("entropy", value=None, versus="y", margin=0)
    other = find("entropy", cohort="y", value=None, versus="x", margin=0)
    assert (one.value, one.interval) == (0.1, (0.05, 0.2))
    assert (other.value, other.interval) == (-0.1, (-0.2, -0.05))


def test_the_cohort_of_a_rule_is_optional_if_versus_names_the_only_other_cohort() -> None:
    assert find("entropy", cohort=None, value=None, versus="y", margin=0).cohort == "x"


def test_the_lookup_refuses_an_incompatible_baseline_and_names_the_differing_fields() -> None:
    baseline = {"name": "champion", "job": "j", "cohort": "x", "differs": ["the images", "options.noise"]}
    results = document(baseline=baseline)
    with pytest.raises(Missing, match=r"the images; options\.noise"):
        find("entropy", results, value=None, versus="champion", margin=0)


def test_the_verdict_says_why_a_number_has_no_interval() -> None:
    results = document()
    results["cohorts"]["x"]["measures"]["noise"]["note"] = "30% of the values are missing: too many for an interval"
    verdict = evaluate([Rule(measure="noise", cohort="x", op=">=", value=0.1)], number_lookup(results))
    assert "no interval for it (30% of the values are missing: too many for an interval); audit more" in verdict.reason
