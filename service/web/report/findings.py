"""Writes the first screen: the results in sentences. A difference is reported if it remains after Holm's correction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.web.formatting import number
from service.web.report.data import Json, ReportData
from service.web.report.interpretation import SIDES, interval, join_words
from service.web.report.ranking import (
    compared_cohorts,
    excuse_high_value,
    excused_leads,
    find_leads,
    headline,
    lead_sentences,
    neutral_differences,
)
from service.web.report.single_runs import model_sentences, models_headline, only_models


@dataclass(frozen=True)
class Findings:
    """The headline, the sentences below it, and each cohort's measures as (title, words, value)."""

    headline: str
    reasons: Sequence[str]
    cohorts: Mapping[str, Sequence[tuple[str, str, str]]]


def find_findings(data: ReportData) -> Findings:
    """Return the findings that come before any chart."""
    by_cohort = {cohort: list(_cohort_measures(data, cohort)) for cohort in data.cohorts}
    found, neutral = find_leads(data), neutral_differences(data)
    others = [*neutral, *(lead.measure for lead in found if lead.excuse)]
    alone = len(data.cohorts) == 1
    if len(compared_cohorts(data)) == 1:
        return Findings(_single_cohort(data, data.cohorts[0]), [], by_cohort)
    if not alone and all(each["differs"] is None for each in data.results["differences"]):
        return Findings("These results do not say whether the cohorts differ.", [], by_cohort)
    sentences = [*lead_sentences(data, found), *excused_leads(found), *neutral.values(), *model_sentences(data)]
    if only_models(data) and not alone:
        return Findings(models_headline(data), sentences, by_cohort)
    # If a job has a single cohort, the headline describes it, even if there is a baseline to compare it with.
    head = headline(compared_cohorts(data), found, list(dict.fromkeys(others)))
    return Findings(_single_cohort(data, data.cohorts[0]) if alone else head, sentences, by_cohort)


def _single_cohort(data: ReportData, cohort: str) -> str:
    """Describe a single cohort: its strong and weak measures, and its values in measures that have no better side."""
    sides: dict[str, list[str]] = {side: [] for side in SIDES}
    words = []
    for measure, interpretation in data.measures:
        mean, excused = data.measures_of(cohort)[measure]["mean"], excuse_high_value(data, measure, cohort)
        side = interpretation.side(mean)
        if side == "weak" or (side and not excused):
            sides[side].append(interpretation.title.lower())
        elif mean is not None:
            words.append(excused or interpretation.describe(mean).partition(": ")[2])
    graded = join_words([f"{side} in {join_words(measures)}" for side, measures in sides.items() if measures])
    parts = [*words, *([f"{'it ' if words else ''}is {graded}"] if graded else [])]
    return f"{cohort} {'; '.join(parts)}." if parts else f"{cohort} has no values."


def _cohort_measures(data: ReportData, cohort: str) -> list[tuple[str, str, str]]:
    """Return title, words and value of each measure of a cohort."""
    found = []
    for measure, interpretation in data.measures:
        own = data.measures_of(cohort).get(measure)
        if own:
            excuse = excuse_high_value(data, measure, cohort)
            found.append(
                (
                    interpretation.title,
                    interpretation.describe(own["mean"]) + (f", but {excuse}" if excuse else ""),
                    _value(own),
                )
            )
    return found


def _value(own: Json) -> str:
    return number(own["mean"]) + (f" [{interval(own['ci95'])}]" if own["ci95"] else "")
