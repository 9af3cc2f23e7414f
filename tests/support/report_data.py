"""Builds the data of a report from a few means."""

from typing import Any

from service.domain.job import Job, JobState
from service.spec.model import JobSpec
from service.web.report.data import ReportData

RUNS = [{"uri": "file:///1.pt"}, {"uri": "file:///2.pt"}]


def material(means: dict[str, dict[str, float]], *differences: tuple[str, float, float]) -> ReportData:
    """Return the data of a report with these means by cohort and measure.

    A difference (measure, low, high) has the interval of the first cohort's mean minus the second cohort's.
    """
    spec = JobSpec.model_validate(
        {"cohorts": [{"name": name, "runs": RUNS} for name in means], "images": {"uri": "file:///i"}}
    )
    job = Job("j", spec, JobState.SUCCEEDED, 1, 0.0, 0.0, 1.0, 1, 1, 1, None, {})
    names = list(means)
    results: dict[str, Any] = {
        "cohorts": {
            name: {"measures": {each: {"mean": mean, "ci95": [mean - 0.1, mean + 0.1]} for each, mean in own.items()}}
            for name, own in means.items()
        },
        "differences": [
            difference((names[0], names[1]), *each) for each in differences
        ],
    }  # fmt: skip
    return ReportData(job, results, None, [], {}, {}, [], 0)


def difference(names: tuple[str, str], measure: str, low: float, high: float, compares: str = "recipes") -> Any:
    """Return the difference of two cohorts with this interval. The cohorts differ if the interval excludes zero."""
    mean, differs = (low + high) / 2, not low <= 0 <= high
    known = {"a": names[0], "b": names[1], "measure": measure, "compares": compares, "mean": mean, "ci95": [low, high]}
    return {
        **known,
        "d_z": mean,
        "p": 0.001 if differs else 0.5,
        "p_holm": 0.004 if differs else 1.0,
        "differs": differs,
    }
