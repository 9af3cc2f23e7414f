"""Why a high number may be no merit: maps without salience, or maps that point at what the model does not use. Pure.

`degradation` is the map's likeness to itself without the background. Where it is as like itself, or more, without the
object, the map does not point at what the model uses, and a high number is no merit.
"""

from service.gate.degenerate import above_limit, share_of, told
from service.measures import MEASURES
from service.web.report.data import ReportData
from service.web.report.interpretation import compare_blurs


def excuse_high_value(data: ReportData, measure: str, cohort: str) -> str:
    """Why a high number of a cohort is no merit; empty where it is one, or where nothing is known against it."""
    share = share_of(data.results, cohort)
    if share is not None and above_limit(share):
        return told(share)
    control = MEASURES[measure].control_part
    if control is None or cohort not in data.cohorts:
        return ""
    own = data.measures_of(cohort).get(measure, {})
    ends = own.get("parts", {}).get(control, {}).get("ci95")
    return "" if not ends or ends[0] > 0 else compare_blurs(ends)
