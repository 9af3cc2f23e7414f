from typing import Any

import pytest

from service.gate import Outcome, Rule, Verdict, cohort_checks, concerns, judge
from service.gate.soundness import Evidence, Limits
from tests.support.soundness import ALL_OFF, soundness

SOUND = {
    "degenerate": Evidence(0.0, (0.0, 0.02)),
    "image": Evidence(0.5, (0.4, 0.6)),
    "predictions": Evidence(0.6),
    "accuracy": Evidence(0.9, (0.8, 0.95), 0.5),
}
EMPTY = SOUND | {"degenerate": Evidence(0.5, (0.3, 0.7))}
NEAR_CHANCE = SOUND | {"accuracy": Evidence(0.52, (0.45, 0.6), 0.5)}
ENTROPY = Rule(measure="entropy", cohort="a", op=">=", value=0.1)


def document(a: dict[str, Evidence] = SOUND, b: dict[str, Evidence] = SOUND, **changes: Any) -> dict[str, Any]:
    cohort = {
        "accuracy": 0.9,
        "accuracy_ci95": [0.45, 0.95],
        "measures": {"entropy": {"mean": 0.8, "ci95": [0.7, 0.9]}},
    }
    difference = {"a": "a", "b": "b", "measure": "entropy", "mean": 0.0, "ci95": [-0.1, 0.1]}
    found = {
        "cohorts": {"a": cohort, "b": cohort},
        "differences": [difference],
        "soundness": soundness({"a": a, "b": b}),
    }
    return found | changes


def verdict(results: dict[str, Any], *rules: Rule, **limits: Any) -> Verdict:
    changed: Limits = limits  # type: ignore[assignment]  # the keys are names of checks
    return judge(results, rules or (ENTROPY,), changed)


def test_the_gate_judges_rules_on_cohorts_whose_checks_hold() -> None:
    found = verdict(document())
    assert (found.outcome, found.soundness) == (Outcome.PASS, [])


@pytest.mark.parametrize("name", ["degenerate", "image", "predictions", "accuracy"])
def test_the_gate_judges_no_rule_on_a_cohort_with_a_failed_check(name: str) -> None:
    failing = {
        "degenerate": Evidence(1.0, (0.9, 1.0)), "image": Evidence(0.99, (0.98, 1.0)), "predictions": Evidence(1.0),
        "accuracy": Evidence(0.3, (0.2, 0.4), 0.5),
    }  # fmt: skip
    results = document(SOUND | {name: failing[name]})
    found = verdict(results, ENTROPY, ENTROPY.model_copy(update={"cohort": "b"}))
    assert [each.outcome for each in found.rules] == ["error", "pass"]
    (check,) = found.soundness
    assert (check.cohort, check.run, check.name, check.status) == ("a", None, name, "failed")
    assert found.reason.startswith(f"entropy of a cannot be judged: the soundness check {name} of 'a' fails: ")
    assert check.sentence[:-1] in found.reason


def test_the_gate_judges_no_comparison_with_a_cohort_or_baseline_with_a_failed_check() -> None:
    rule = Rule(measure="entropy", cohort="a", versus="b", op=">=", margin=0.5)
    assert verdict(document(), rule).outcome == "pass"
    assert verdict(document(b=EMPTY), rule).outcome == "error"
    baseline = document(soundness=soundness({"a": SOUND, "b": SOUND, "champion": EMPTY}))
    found = verdict(baseline, rule.model_copy(update={"versus": "champion"}))
    assert "of 'champion' fails" in found.reason


def test_a_failed_check_of_one_run_counts_as_a_failed_check_of_its_cohort() -> None:
    results = document()
    results["soundness"]["a"]["runs"] = [results["soundness"]["a"]["checks"], soundness({"a": EMPTY})["a"]["checks"]]
    found = verdict(results)
    assert found.outcome == "error"
    assert "degenerate of run 1 of 'a' fails" in found.reason
    assert [(each.name, each.run) for each in found.soundness] == [("degenerate", 1)]


@pytest.mark.parametrize(
    ("rule", "outcome"),
    [
        (None, "error"),
        ({"measure": "accuracy", "op": ">=", "value": 0.5}, "error"),
        ({"measure": "accuracy", "op": "<=", "value": 0.6}, "error"),
        ({"measure": "accuracy", "op": ">=", "versus": "b", "margin": 0.9}, "error"),
        ({"measure": "accuracy", "op": ">=", "value": 0.51}, "inconclusive"),
    ],
)
def test_a_cohort_with_accuracy_near_chance_is_judged_only_if_a_rule_demands_more_than_chance(
    rule: dict[str, Any] | None, outcome: str
) -> None:
    extra = [Rule.model_validate({"cohort": "a", **rule})] if rule else []
    found = verdict(document(NEAR_CHANCE), ENTROPY, *extra)
    assert found.outcome == outcome
    (check,) = found.soundness
    assert check.status == ("failed" if outcome == "error" else "warning")
    assert ("no rule of the gate demands more than chance" in check.sentence) is (outcome == "error")


def test_a_cohort_near_chance_is_not_judged_if_the_rule_on_accuracy_is_about_another_cohort() -> None:
    other = Rule(measure="accuracy", cohort="b", op=">=", value=0.6)
    assert verdict(document(NEAR_CHANCE), ENTROPY, other).rules[0].outcome == "error"


def test_a_gate_may_change_the_limit_of_a_check_and_the_verdict_lists_the_change() -> None:
    found = verdict(document(EMPTY), degenerate=0.2)
    assert found.outcome == "error"
    found = verdict(document(EMPTY), degenerate=0.8)
    assert found.outcome == "pass"
    (check,) = found.soundness
    assert (check.name, check.status, check.limit) == ("degenerate", "ok", 0.8)
    assert check.sentence.endswith("The gate moves the limit to 80.0 % from 5.0 %.")
    assert found.reason.endswith("The gate changes soundness checks: degenerate 0.8.")


def test_a_gate_may_switch_a_check_off_and_the_verdict_lists_the_check() -> None:
    found = verdict(document(EMPTY), degenerate="off")
    assert found.outcome == "pass"
    (check,) = found.soundness
    assert (check.status, check.number) == ("off", 0.5)
    assert check.sentence.startswith("The gate switches this check off. 50.0 % of the maps")
    assert found.reason.endswith("The gate changes soundness checks: degenerate off.")
    assert len(verdict(document(EMPTY), **ALL_OFF).soundness) == len(ALL_OFF)


def test_the_verdict_lists_warnings_without_a_change_of_its_outcome() -> None:
    found = verdict(document(SOUND | {"class": Evidence(0.99, (0.98, 1.0))}))
    assert found.outcome == "pass"
    assert [(each.name, each.status) for each in found.soundness] == [("class", "warning")]


def test_the_concerns_list_a_run_only_if_its_check_is_worse_than_that_of_its_cohort() -> None:
    results = document(EMPTY)
    warning = soundness({"a": SOUND | {"degenerate": Evidence(0.02, (0.0, 0.1)), "predictions": Evidence(0.96)}})
    results["soundness"]["a"]["runs"] = warning["a"]["checks"], results["soundness"]["a"]["checks"]
    found = concerns(cohort_checks(results, "a"))
    assert [(each.name, each.run, each.status) for each in found] == [
        ("degenerate", None, "failed"), ("predictions", 0, "warning")
    ]  # fmt: skip


def test_the_gate_judges_no_results_without_soundness_checks() -> None:
    results = document()
    del results["soundness"]
    assert verdict(results).reason.endswith("the results of 'a' have no soundness checks; submit the job again.")


@pytest.mark.parametrize("name", ["image", "class"])
def test_a_warning_about_the_difference_fails_only_if_another_check_confirms_it(name: str) -> None:
    same, undecided = {name: Evidence(0.96, (0.94, 0.98))}, {"difference": Evidence(0.1, (0.05, 0.15))}
    assert verdict(document(SOUND | same)).outcome == "pass"
    assert verdict(document(SOUND | undecided)).outcome == "pass"
    found = verdict(document(SOUND | same | undecided))
    assert found.outcome == "error"
    assert "the soundness check difference of 'a' fails" in found.reason
    assert f"`{name}` confirms that it makes maps alike" in found.reason


@pytest.mark.parametrize(
    ("limits", "status"),
    [
        ({"image": "off"}, "warning"),
        ({"image": 0.99}, "failed"),
        ({"difference": "off"}, "off"),
        ({"difference": 0.05}, "ok"),
        ({"difference": 0.2}, "failed"),
    ],
)
def test_a_gate_that_changes_a_check_decides_again_whether_the_difference_fails(
    limits: dict[str, Any], status: str
) -> None:
    results = document(SOUND | {"image": Evidence(0.96, (0.94, 0.98)), "difference": Evidence(0.1)})
    found = verdict(results, **limits)
    statuses = {each.name: each.status for each in found.soundness}
    assert statuses["difference"] == status
    assert found.outcome == ("error" if status == "failed" else "pass")


def test_the_difference_of_a_run_is_confirmed_by_the_checks_of_the_same_run_only() -> None:
    same, undecided = {"image": Evidence(0.96, (0.94, 0.98))}, {"difference": Evidence(0.1)}
    for runs, outcome in [([same, undecided], "pass"), ([same | undecided, {}], "error")]:
        results = document()
        results["soundness"]["a"]["runs"] = [soundness({"a": SOUND | run})["a"]["checks"] for run in runs]
        assert verdict(results).outcome == outcome
