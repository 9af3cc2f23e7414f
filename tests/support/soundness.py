"""Soundness checks for tests: results from given numbers, and a gate without checks."""

from collections.abc import Mapping
from typing import Any

from service.gate.soundness import CHECKS, Evidence, judge_all

# For gates of tests whose models are untrained: only their rules decide.
ALL_OFF: dict[str, str] = dict.fromkeys(CHECKS, "off")


def soundness(evidence: Mapping[str, Mapping[str, Evidence]], runs: int = 1) -> dict[str, Any]:
    """The soundness part of a results document, from the evidence of each cohort; no run has evidence of its own."""
    return {
        name: {"checks": _judged(found), "runs": [_judged({}) for _ in range(runs)]} for name, found in evidence.items()
    }


def _judged(found: Mapping[str, Evidence]) -> list[dict[str, Any]]:
    return [each.model_dump(mode="json") for each in judge_all(found)]
