"""What a report is made of: a job, its results, its verdict, and what is kept of its pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from service.domain.job import Job
from service.domain.maps import ClassSum, StoredImage
from service.gate import Verdict
from service.web.report.interpretation import INTERPRETATIONS, Interpretation

Json = Mapping[str, Any]


@dataclass(frozen=True)
class ReportData:
    """`names` are the pictures' by number, `values` their numbers by (picture, cohort, run); `waiting` are to come."""

    job: Job
    results: Json
    verdict: Verdict | None
    images: Sequence[StoredImage]
    names: Mapping[int, str]
    values: Mapping[tuple[int, int, int], Mapping[str, float]]
    sums: Sequence[ClassSum]
    waiting: int

    @cached_property
    def cohorts(self) -> list[str]:
        """The cohorts' names in the spec's order."""
        return [cohort.name for cohort in self.job.spec.cohorts]

    @cached_property
    def measures(self) -> list[tuple[str, Interpretation]]:
        """The measures that a cohort has, and what they mean, in the page's order."""
        had = {name for cohort in self.cohorts for name in self.measures_of(cohort)}
        return [(name, interpretation) for name, interpretation in INTERPRETATIONS.items() if name in had]

    def measures_of(self, cohort: str) -> Json:
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
