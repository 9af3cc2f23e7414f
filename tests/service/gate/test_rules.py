from typing import Any

import pytest
from pydantic import ValidationError

from service.gate import Gate, Rule

RULE = {"measure": "entropy", "op": ">=", "value": 0.5}


@pytest.mark.parametrize(
    "changes",
    [
        {"value": None},
        {"versus": "b"},
        {"margin": 0.1},
        {"versus": "b", "margin": 0.1},
        {"value": None, "versus": "b"},
        {"value": None, "margin": 0.1},
        {"value": float("nan")},
        {"op": ">"},
        {"measure": ""},
        {"statistic": "beauty"},
        {"colour": "red"},
    ],
)
def test_a_rule_with_missing_or_conflicting_fields_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Rule.model_validate(RULE | changes)


@pytest.mark.parametrize(
    "gate",
    [{}, {"rules": []}, {"rules": [RULE], "policy": "p"}, {"rules": [RULE], "version": 1}, {"policy": "../p"}],
)
def test_a_gate_has_either_rules_or_the_name_of_a_policy(gate: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Gate.model_validate(gate)
    assert Gate.model_validate({"policy": "detectors-v1.2", "version": 2}).rules == []
    assert len(Gate.model_validate({"rules": [RULE, RULE]}).rules) == 2


@pytest.mark.parametrize(
    ("measure", "statistic", "spread"),
    [
        ("entropy", "q05", ("entropy", "q05")),
        ("noise.parts.0.1.sd", "mean", ("noise.parts.0.1", "sd")),
        ("noise.parts.0.1", "mean", None),
        ("noise.parts.0.1", "pearson", None),
    ],
)
def test_a_rule_names_a_quantile_or_sd_in_its_statistic_or_at_the_end_of_its_measure(
    measure: str, statistic: str, spread: object
) -> None:
    assert Rule.model_validate(RULE | {"measure": measure, "statistic": statistic}).spread == spread


@pytest.mark.parametrize("off", ["off", False])  # YAML reads `off` without quotes as false
def test_a_gate_can_change_the_limits_of_soundness_checks(off: object) -> None:
    gate = Gate.model_validate({"rules": [RULE], "soundness": {"degenerate": 0.2, "accuracy": off}})
    assert gate.soundness == {"degenerate": 0.2, "accuracy": "off"}


@pytest.mark.parametrize(
    ("soundness", "field", "message"),
    [
        ({"degenerate": 1.5}, ("soundness", "degenerate"), "give a limit from 0 to 1, or off"),
        ({"degenerate": True}, ("soundness", "degenerate"), "give a limit from 0 to 1, or off"),
        ({"accuracy": "no"}, ("soundness", "accuracy"), "give a limit from 0 to 1, or off"),
        ({"beauty": 0.5}, ("soundness", "beauty", "[key]"), "'degenerate', 'image'"),
    ],
)
def test_an_invalid_change_of_a_soundness_check_is_refused_with_its_field(
    soundness: dict[str, Any], field: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        Gate.model_validate({"rules": [RULE], "soundness": soundness})
    (error,) = refused.value.errors()
    assert error["loc"] == field
    assert message in error["msg"]


def test_a_job_cannot_change_the_soundness_checks_of_a_policy() -> None:
    with pytest.raises(ValidationError, match="the policy decides its soundness checks"):
        Gate.model_validate({"policy": "p", "soundness": {"accuracy": "off"}})
