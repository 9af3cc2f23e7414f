"""The first screen: what the numbers say, in sentences. What differs is told where its interval leaves zero out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.pages.numerals import number
from service.pages.report.degraded import excuse
from service.pages.report.leads import compared, headline, leads, neutral, reasons, undeserved
from service.pages.report.material import Json, Material
from service.pages.report.words import SIDES, interval, listed


@dataclass(frozen=True)
class Findings:
    """The headline, sentences under it, and what each cohort's look is like."""

    headline: str
    reasons: Sequence[str]
    looks: Mapping[str, Sequence[tuple[str, str, str]]]


def findings(about: Material) -> Findings:
    """What there is to say before any chart."""
    looks = {cohort: list(_look(about, cohort)) for cohort in about.cohorts}
    found, open_ = leads(about), neutral(about)
    others = [*open_, *(lead.measure for lead in found if lead.excuse)]
    alone = len(about.cohorts) == 1
    head = _alone(about, about.cohorts[0]) if alone else headline(compared(about), found, list(dict.fromkeys(others)))
    beside = len(compared(about)) > 1
    return Findings(head, [*reasons(about, found), *undeserved(found), *open_.values()] if beside else [], looks)


def _alone(about: Material, cohort: str) -> str:
    """A cohort without another: what it is strong and weak in, and of what is neither good nor bad, what it says."""
    sides: dict[str, list[str]] = {side: [] for side in SIDES}
    looks = []
    for measure, meaning in about.measures:
        mean, excused = about.of(cohort)[measure]["mean"], excuse(about, measure, cohort)
        side = meaning.side(mean)
        if side == "weak" or (side and not excused):
            sides[side].append(meaning.title.lower())
        elif mean is not None:
            looks.append(excused or meaning.of(mean).partition(": ")[2])
    graded = listed([f"{side} in {listed(measures)}" for side, measures in sides.items() if measures])
    said = [*looks, *([f"{'it ' if looks else ''}is {graded}"] if graded else [])]
    return f"{cohort} {'; '.join(said)}." if said else f"{cohort} has no number to tell of."


def _look(about: Material, cohort: str) -> list[tuple[str, str, str]]:
    """A cohort's measures: title, words, number with interval."""
    found = []
    for measure, meaning in about.measures:
        own = about.of(cohort).get(measure)
        if own:
            yet = excuse(about, measure, cohort)
            found.append((meaning.title, meaning.of(own["mean"]) + (f", but {yet}" if yet else ""), _told(own)))
    return found


def _told(own: Json) -> str:
    return number(own["mean"]) + (f" [{interval(own['ci95'])}]" if own["ci95"] else "")
