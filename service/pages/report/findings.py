"""The first screen: what the numbers say, in sentences. What differs is told where its interval leaves zero out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.pages.numerals import number
from service.pages.report.material import Json, Material
from service.pages.report.words import SIDES, interval, listed


@dataclass(frozen=True)
class Lead:
    """One cohort ahead of another by a measure whose better side is known."""

    winner: str
    loser: str
    measure: str
    by: str


@dataclass(frozen=True)
class Findings:
    """The headline, sentences under it, and what each cohort's look is like."""

    headline: str
    reasons: Sequence[str]
    looks: Mapping[str, Sequence[tuple[str, str, str]]]


def findings(about: Material) -> Findings:
    """What there is to say before any chart."""
    looks = {cohort: list(_look(about, cohort)) for cohort in about.cohorts}
    if len(about.cohorts) == 1:
        return Findings(_alone(about, about.cohorts[0]), [], looks)
    leads = [lead for measure, meaning in about.measures if meaning.better for lead in _leads(about, measure)]
    neutral = _neutral(about)
    return Findings(_headline(leads, bool(neutral)), [*_reasons(about, leads), *neutral], looks)


def _alone(about: Material, cohort: str) -> str:
    """A cohort without another: what it is strong and weak in, and of what is neither good nor bad, what it says."""
    sides: dict[str, list[str]] = {side: [] for side in SIDES}
    looks = []
    for measure, meaning in about.measures:
        mean = about.of(cohort)[measure]["mean"]
        side = meaning.side(mean)
        if side:
            sides[side].append(meaning.title.lower())
        elif mean is not None:
            looks.append(meaning.of(mean).partition(": ")[2])
    graded = listed([f"{side} in {listed(measures)}" for side, measures in sides.items() if measures])
    said = [*looks, *([f"{'it ' if looks else ''}is {graded}"] if graded else [])]
    return f"{cohort} {'; '.join(said)}." if said else f"{cohort} has no number to tell of."


def _look(about: Material, cohort: str) -> list[tuple[str, str, str]]:
    """A cohort's measures: title, words, number with interval."""
    found = []
    for measure, meaning in about.measures:
        own = about.of(cohort).get(measure)
        if own:
            found.append((meaning.title, meaning.of(own["mean"]), _told(own)))
    return found


def _told(own: Json) -> str:
    return number(own["mean"]) + (f" [{interval(own['ci95'])}]" if own["ci95"] else "")


def _leads(about: Material, measure: str) -> list[Lead]:
    meaning = dict(about.measures)[measure]
    found = []
    for each in about.differences(measure):
        ends = each["ci95"]
        if not ends or ends[0] <= 0 <= ends[1] or each["b"] not in about.cohorts or each["a"] not in about.cohorts:
            continue
        first = (ends[0] > 0) == (meaning.better > 0)
        winner, loser = (each["a"], each["b"]) if first else (each["b"], each["a"])
        low, high = sorted(map(abs, ends))
        by = f"by {abs(each['mean']):.3f} (95 % interval {low:.3f} to {high:.3f})"
        found.append(Lead(winner, loser, meaning.title.lower(), by))
    return found


def _headline(leads: Sequence[Lead], differ: bool) -> str:
    wins = Counter(lead.winner for lead in leads)
    if not wins and differ:
        return "No cohort looks better: they differ in entropy alone."
    if not wins:
        return "No measure tells the cohorts apart: every difference's interval holds zero."
    (best, most), *rest = wins.most_common()
    lost = [lead for lead in leads if lead.loser == best]
    if rest and rest[0][1] == most:
        return f"The cohorts are ahead of each other in different measures: {listed(sorted(wins))} lead in {most} each."
    ahead = listed(list(dict.fromkeys(lead.measure for lead in leads if lead.winner == best)))
    against = f", though behind in {listed(list(dict.fromkeys(lead.measure for lead in lost)))}" if lost else ""
    return f"{best} looks better: ahead in {ahead}{against}."


def _reasons(about: Material, leads: Sequence[Lead]) -> list[str]:
    found = [f"{lead.measure.capitalize()}: {lead.winner} is ahead of {lead.loser} {lead.by}." for lead in leads]
    told = {lead.measure for lead in leads}
    open_ = [
        meaning.title.lower() for _, meaning in about.measures if meaning.better and meaning.title.lower() not in told
    ]
    if open_:
        verb = "does" if len(open_) == 1 else "do"
        found.append(f"{listed(open_).capitalize()} {verb} not tell the cohorts apart.")
    return found


def _neutral(about: Material) -> list[str]:
    """Differences of measures of which neither side is better."""
    found = []
    for measure, meaning in about.measures:
        for each in about.differences(measure) if meaning.better == 0 else ():
            ends = each["ci95"]
            if ends and not ends[0] <= 0 <= ends[1]:
                more, less = (each["a"], each["b"]) if each["mean"] > 0 else (each["b"], each["a"])
                found.append(
                    f"{meaning.title}, of which neither side is better: {more} uses more of the picture than {less}."
                )
    return found
