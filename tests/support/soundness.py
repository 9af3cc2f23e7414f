"""Soundness checks for tests: results from given numbers, and the part of a gate that switches all checks off."""

from collections.abc import Mapping
from typing import Any

from service.gate.checks import CHECKS, judge_all
from service.gate.soundness import Evidence

# For gates of untrained models, which would fail soundness checks: rules alone decide the verdict.
ALL_OFF: dict[str, str] = dict.fromkeys(CHECKS, "off")


def soundness(evidence: Mapping[str, Mapping[str, Evidence]], runs: int = 1) -> dict[str, Any]:
    """Return `soundness` of a results document from the evidence of each cohort. Runs have no evidence."""
    return {
        name: {"checks": _judged(found), "runs": [_judged({}) for _ in range(runs)]} for name, found in evidence.items()
    }


def _judged(found: Mapping[str, Evidence]) -> list[dict[str, Any]]:
    return [each.model_dump(mode="json") for each in judge_all(found)]
