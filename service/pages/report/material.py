"""What a report is made of: a job, its results, its verdict, and what is kept of its pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from service.domain import Job
from service.gate import Verdict
from service.kept import ClassSum, KeptPicture
from service.pages.report.words import MEANINGS, Meaning

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Material:
    """`names` are the pictures' by number, `values` their numbers by (picture, cohort, run); `waiting` are to come."""

    job: Job
    results: Json
    verdict: Verdict | None
    pictures: Sequence[KeptPicture]
    names: Mapping[int, str]
    values: Mapping[tuple[int, int, int], Mapping[str, float]]
    sums: Sequence[ClassSum]
    waiting: int

    @cached_property
    def cohorts(self) -> list[str]:
        """The cohorts' names in the spec's order."""
        return [cohort.name for cohort in self.job.spec.cohorts]

    @cached_property
    def measures(self) -> list[tuple[str, Meaning]]:
        """The measures that a cohort has, and what they mean, in the page's order."""
        had = {name for cohort in self.cohorts for name in self.of(cohort)}
        return [(name, meaning) for name, meaning in MEANINGS.items() if name in had]

    def of(self, cohort: str) -> Json:
        """A cohort's measures."""
        found: Json = self.results["cohorts"][cohort]["measures"]
        return found

    def runs_of(self, cohort: str) -> Sequence[Json]:
        """A cohort's runs."""
        found: Sequence[Json] = self.results["cohorts"][cohort]["runs"]
        return found

    def differences(self, measure: str) -> list[Json]:
        """How the cohorts differ by a measure's headline."""
        return [each for each in self.results["differences"] if each["measure"] == measure]
