"""The data of a report: a job, its results, its verdict, and its stored images and maps."""

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
    """The data of a report.

    `names` has the images' names by number, `values` their values by (image, cohort, run) and column. `pending` is
    the number of images that workers still compute.
    """

    job: Job
    results: Json
    verdict: Verdict | None
    images: Sequence[StoredImage]
    names: Mapping[int, str]
    values: Mapping[tuple[int, int, int], Mapping[str, float]]
    sums: Sequence[ClassSum]
    pending: int

    @cached_property
    def cohorts(self) -> list[str]:
        """The names of the cohorts, in the order of the spec."""
        return [cohort.name for cohort in self.job.spec.cohorts]

    @cached_property
    def measures(self) -> list[tuple[str, Interpretation]]:
        """The measures that at least one cohort has, with their interpretations, in the order of the page."""
        had = {name for cohort in self.cohorts for name in self.measures_of(cohort)}
        return [(name, interpretation) for name, interpretation in INTERPRETATIONS.items() if name in had]

    def measures_of(self, cohort: str) -> Json:
        """Return the measures of a cohort."""
        found: Json = self.results["cohorts"][cohort]["measures"]
        return found

    def runs_of(self, cohort: str) -> Sequence[Json]:
        """Return the runs of a cohort."""
        found: Sequence[Json] = self.results["cohorts"][cohort]["runs"]
        return found

    def differences(self, measure: str) -> list[Json]:
        """Return the differences between cohorts in a measure."""
        return [each for each in self.results["differences"] if each["measure"] == measure]
