import re
from collections.abc import Sequence
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.gate.checks import CHECKS, judge_all
from service.gate.soundness import CheckName, Evidence, Status

SHARES = st.floats(0, 1, allow_nan=False)
EVIDENCE = st.tuples(SHARES, SHARES, SHARES).map(
    lambda ends: Evidence(sorted(ends)[1], (sorted(ends)[0], sorted(ends)[2]), None)
)
SEVERITY = [Status.OK, Status.WARNING, Status.FAILED]


def test_a_gate_can_name_every_soundness_check() -> None:
    assert tuple(CHECKS) == get_args(CheckName)


@pytest.mark.parametrize(
    ("name", "number", "interval", "status"),
    [
        ("degenerate", 0.01, [0.0, 0.05], "ok"),
        ("degenerate", 0.02, [0.0, 0.06], "warning"),
        ("degenerate", 0.1, [0.05, 0.2], "warning"),
        ("degenerate", 0.1, [0.051, 0.2], "failed"),
        ("image", 0.85, [0.8, 0.9], "ok"),
        ("image", 0.86, [0.8, 0.9], "warning"),
        ("image", 0.96, [0.95, 0.97], "warning"),
        ("image", 0.97, [0.96, 0.98], "failed"),
        ("image", 0.99, None, "warning"),
        ("class", 0.95, [0.9, 0.99], "ok"),
        ("class", 0.96, [0.9, 0.99], "warning"),
        ("difference", 0.3, None, "ok"),
        ("difference", 0.29, None, "warning"),
        ("predictions", 0.95, None, "ok"),
        ("predictions", 0.96, None, "warning"),
        ("predictions", 0.99, None, "warning"),
        ("predictions", 1.0, None, "failed"),
        ("deterministic", 1.0, None, "ok"),
        ("deterministic", 0.9, None, "warning"),
        ("weights", 0.5, None, "ok"),
        ("weights", 0.96, None, "warning"),
    ],
)
def test_a_check_warns_or_fails_if_the_number_is_beyond_its_limits(
    name: CheckName, number: float, interval: Sequence[float] | None, status: str
) -> None:
    ends = (interval[0], interval[1]) if interval else None
    assert CHECKS[name].judge(Evidence(number, ends)).status == status


@pytest.mark.parametrize(
    ("interval", "status"),
    [((0.51, 0.9), "ok"), ((0.5, 0.9), "warning"), ((0.1, 0.5), "warning"), ((0.1, 0.49), "failed")],
)
def test_the_check_of_accuracy_compares_its_interval_with_chance(interval: tuple[float, float], status: str) -> None:
    assert CHECKS["accuracy"].judge(Evidence(0.49, interval, 0.5)).status == status
    assert CHECKS["accuracy"].judge(Evidence(0.49, interval)).status == "not checked"


def test_a_check_without_a_number_has_the_status_not_checked_and_a_reason() -> None:
    for each in judge_all({}):
        assert (each.status, each.number) == ("not checked", None)
        assert re.fullmatch(r"[A-Z][^{}]+\.", each.sentence)


@given(st.sampled_from(list(CHECKS)), EVIDENCE, SHARES)
def test_the_sentence_of_every_outcome_contains_the_number(name: CheckName, evidence: Evidence, limit: float) -> None:
    found = CHECKS[name].judge(Evidence(evidence.number, evidence.interval, limit))
    assert found.sentence.count(".") > 0
    assert found.sentence.endswith(".")
    assert not re.search(r"[{}]", found.sentence)
    assert CHECKS[name].format(found.number or 0.0) in found.sentence


@given(st.sampled_from(["degenerate", "image", "class", "predictions", "weights"]), EVIDENCE, SHARES, SHARES)
def test_a_higher_limit_never_makes_an_outcome_worse(
    name: CheckName, evidence: Evidence, one: float, other: float
) -> None:
    low, high = (
        CHECKS[name].judge(Evidence(evidence.number, evidence.interval, limit)).status for limit in sorted([one, other])
    )
    assert SEVERITY.index(high) <= SEVERITY.index(low)


def test_the_sentence_about_empty_maps_gives_their_share_its_interval_and_the_limit() -> None:
    found = CHECKS["degenerate"].judge(Evidence(1.0, (0.862, 1.0)))
    assert found.sentence == (
        "100.0 % of the maps show no salience (95 % interval 86.2 % to 100.0 %); with more than 5.0 % empty maps, "
        "similarities describe too few images."
    )
