"""Summarises the soundness checks of a job's results for pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.gate import CohortCheck, Status, cohort_checks, concerns

Json = Mapping[str, Any]


@dataclass(frozen=True)
class SoundnessSummary:
    """The worst outcome, a sentence on it, the checks that fail or warn, and the checks of whole cohorts by cohort."""

    status: Status
    sentence: str
    concerns: Sequence[CohortCheck]
    checks: Mapping[str, Sequence[CohortCheck]]


def summarise_soundness(results: Json) -> SoundnessSummary:
    """Return the summary of a results document."""
    found = {name: cohort_checks(results, name) for name in results["soundness"]}
    worse = concerns([each for checks in found.values() for each in checks])
    whole = {name: [each for each in checks if each.run is None] for name, checks in found.items()}
    if not found:
        sentence = "An earlier release computed these results, without soundness checks."
        return SoundnessSummary(Status.NOT_CHECKED, sentence, worse, whole)
    failed = dict.fromkeys(each.cohort for each in worse if each.status is Status.FAILED)
    if failed:
        sentence = f"Do not rely on the numbers of {', '.join(failed)}: soundness checks fail."
        return SoundnessSummary(Status.FAILED, sentence, worse, whole)
    if worse:
        return SoundnessSummary(Status.WARNING, "No soundness check fails, but some warn.", worse, whole)
    return SoundnessSummary(Status.OK, "All soundness checks hold.", worse, whole)
