"""The first screen: what the numbers say, in sentences. What differs is told where its interval leaves zero out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.web.formatting import number
from service.web.report.data import Json, ReportData
from service.web.report.degraded import excuse_high_value
from service.web.report.interpretation import SIDES, interval, join_words
from service.web.report.ranking import (
    compared_cohorts,
    excused_leads,
    find_leads,
    headline,
    lead_sentences,
    neutral_differences,
)


@dataclass(frozen=True)
class Findings:
    """The headline, sentences under it, and what each cohort's look is like."""

    headline: str
    reasons: Sequence[str]
    looks: Mapping[str, Sequence[tuple[str, str, str]]]


def find_findings(data: ReportData) -> Findings:
    """What there is to say before any chart."""
    looks = {cohort: list(_cohort_measures(data, cohort)) for cohort in data.cohorts}
    found, open_ = find_leads(data), neutral_differences(data)
    others = [*open_, *(lead.measure for lead in found if lead.excuse)]
    alone = len(data.cohorts) == 1
    head = (
        _single_cohort(data, data.cohorts[0])
        if alone
        else headline(compared_cohorts(data), found, list(dict.fromkeys(others)))
    )
    beside = len(compared_cohorts(data)) > 1
    return Findings(
        head, [*lead_sentences(data, found), *excused_leads(found), *open_.values()] if beside else [], looks
    )


def _single_cohort(data: ReportData, cohort: str) -> str:
    """A cohort without another: what it is strong and weak in, and of what is neither good nor bad, what it says."""
    sides: dict[str, list[str]] = {side: [] for side in SIDES}
    looks = []
    for measure, interpretation in data.measures:
        mean, excused = data.measures_of(cohort)[measure]["mean"], excuse_high_value(data, measure, cohort)
        side = interpretation.side(mean)
        if side == "weak" or (side and not excused):
            sides[side].append(interpretation.title.lower())
        elif mean is not None:
            looks.append(excused or interpretation.describe(mean).partition(": ")[2])
    graded = join_words([f"{side} in {join_words(measures)}" for side, measures in sides.items() if measures])
    said = [*looks, *([f"{'it ' if looks else ''}is {graded}"] if graded else [])]
    return f"{cohort} {'; '.join(said)}." if said else f"{cohort} has no number to tell of."


def _cohort_measures(data: ReportData, cohort: str) -> list[tuple[str, str, str]]:
    """A cohort's measures: title, words, number with interval."""
    found = []
    for measure, interpretation in data.measures:
        own = data.measures_of(cohort).get(measure)
        if own:
            yet = excuse_high_value(data, measure, cohort)
            found.append(
                (
                    interpretation.title,
                    interpretation.describe(own["mean"]) + (f", but {yet}" if yet else ""),
                    _told(own),
                )
            )
    return found


def _told(own: Json) -> str:
    return number(own["mean"]) + (f" [{interval(own['ci95'])}]" if own["ci95"] else "")
