"""Which cohort is ahead of which, in sentences: of two with the number, of more with the names alone. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.pages.report.degraded import excuse
from service.pages.report.material import Json, Material
from service.pages.report.words import Meaning, listed

MOST_NAMED = 3  # cohorts that a sentence calls ahead of others; the table has all pairs
Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Lead:
    """One cohort ahead of another by a measure whose better side is known; `excuse` says why that is no merit."""

    winner: str
    loser: str
    measure: str
    by: str
    excuse: str


def compared(about: Material) -> list[str]:
    """The cohorts that are compared: the job's, and one of an earlier job that stands beside them."""
    named = [name for each in about.results["differences"] for name in (each["a"], each["b"])]
    return list(dict.fromkeys([*about.cohorts, *named]))


def leads(about: Material) -> list[Lead]:
    """Every lead that an interval tells, in the page's order."""
    return [
        _lead(about, meaning, each)
        for measure, meaning in about.measures
        if meaning.better
        for each in about.differences(measure)
        if differs(each)
    ]


def differs(each: Json) -> bool:
    """Whether a difference's interval leaves zero out."""
    return bool(each["ci95"]) and not each["ci95"][0] <= 0 <= each["ci95"][1]


def _lead(about: Material, meaning: Meaning, each: Json) -> Lead:
    winner, loser = meaning.order((each["a"], each["b"]), each["mean"])
    low, high = sorted(map(abs, each["ci95"]))
    by = f"by {abs(each['mean']):.3f} (95 % interval {low:.3f} to {high:.3f})"
    return Lead(winner, loser, meaning.title.lower(), by, excuse(about, each["measure"], winner))


def headline(cohorts: Sequence[str], found: Sequence[Lead], others: Sequence[str]) -> str:
    """Which cohort looks best, by leads that are merits; `others` are measures in which cohorts differ all the same."""
    merits = [lead for lead in found if not lead.excuse]
    if not merits and others:
        return f"No cohort looks better: they differ in {listed(list(others))} alone."
    if not merits:
        return "No measure tells the cohorts apart: every difference's interval holds zero."
    unbeaten = [each for each in cohorts if all(_balance(merits, other, each) <= 0 for other in cohorts)]
    for best in unbeaten:
        if all(_balance(merits, best, other) > 0 for other in cohorts if other != best):
            return _looks_best(best, merits, len(cohorts) - 1)
    if len(cohorts) == 2:  # a and b
        split = ", ".join(f"{each} in {_measures(merits, winner=each)}" for each in cohorts)
        return f"The cohorts are ahead of each other in different measures: {split}."
    known = f"; on balance {listed(unbeaten)} {'is' if len(unbeaten) == 1 else 'are'} behind none" if unbeaten else ""
    return f"No cohort is ahead of all others{known if len(unbeaten) < len(cohorts) else ''}."


def _balance(merits: Sequence[Lead], one: str, other: str) -> int:
    """In how many measures more the one is ahead of the other than behind it."""
    return sum((lead.winner, lead.loser) == (one, other) for lead in merits) - sum(
        (lead.winner, lead.loser) == (other, one) for lead in merits
    )


def _looks_best(best: str, merits: Sequence[Lead], rivals: int) -> str:
    winners = list(dict.fromkeys(lead.winner for lead in merits if lead.loser == best))
    if rivals == 1:
        against = f", though behind in {_measures(merits, loser=best)}" if winners else ""
        return f"{best} looks better: ahead in {_measures(merits, winner=best)}{against}."
    ahead = _ahead(Counter(lead.measure for lead in merits if lead.winner == best), rivals)
    behind = listed([f"{each} in {_measures(merits, each, best)}" for each in winners])
    return f"{best} looks best: ahead {ahead}{f', though behind {behind}' if behind else ''}."


def _ahead(beaten: Mapping[str, int], rivals: int) -> str:
    """In what a cohort is ahead of all its rivals, and in what of some, by how many it beats in each measure."""
    everywhere = [measure for measure, count in beaten.items() if count == rivals]
    somewhere = [measure for measure, count in beaten.items() if count < rivals]
    if not everywhere:
        return f"of each other cohort in some of {listed(somewhere)}"
    return f"of all others in {listed(everywhere)}" + (f", of some in {listed(somewhere)}" if somewhere else "")


def _measures(merits: Sequence[Lead], winner: str = "", loser: str = "") -> str:
    named = [lead.measure for lead in merits if winner in ("", lead.winner) and loser in ("", lead.loser)]
    return listed(list(dict.fromkeys(named)))


def reasons(about: Material, found: Sequence[Lead]) -> list[str]:
    """A sentence a measure that tells cohorts apart, and one of all measures that do not."""
    few, told = len(compared(about)) <= 2, dict[str, list[Lead]]()  # a and b
    for lead in found:
        if not lead.excuse:
            told.setdefault(lead.measure, []).append(lead)
    said = [_reason(measure, own, about, few) for measure, own in told.items()]
    shown = {lead.measure for lead in found}
    titles = [meaning.title.lower() for _, meaning in about.measures if meaning.better]
    open_ = [each for each in titles if each not in shown]
    if open_:
        verb, whom = "does" if len(open_) == 1 else "do", "the cohorts" if few else "any two cohorts"
        said.append(f"{listed(open_).capitalize()} {verb} not tell {whom} apart.")
    return said


def _reason(measure: str, own: Sequence[Lead], about: Material, few: bool) -> str:
    if few:
        return f"{measure.capitalize()}: {own[0].winner} is ahead of {own[0].loser} {own[0].by}."
    pairs = [(lead.winner, lead.loser) for lead in own]
    return f"{measure.capitalize()}: {chain(pairs, 'is ahead', 'of', len(compared(about)))}."


def undeserved(found: Sequence[Lead]) -> list[str]:
    """What is larger where larger would be better, and is no merit here."""
    return [
        f"{lead.measure.capitalize()}: {lead.winner} is higher than {lead.loser} {lead.by}, which is no merit: "
        f"{lead.excuse}."
        for lead in found if lead.excuse
    ]  # fmt: skip


def neutral(about: Material) -> dict[str, str]:
    """Measures that differ and of which neither side is better, by title, and in a sentence how."""
    found = {}
    for measure, meaning in about.measures:
        pairs = [
            meaning.order((each["a"], each["b"]), each["mean"])
            for each in about.differences(measure) if not meaning.better and differs(each)
        ]  # fmt: skip
        if pairs:
            told = chain(pairs, "uses more of the picture", "than", len(compared(about)))
            found[meaning.title.lower()] = f"{meaning.title}, of which neither side is better: {told}."
    return found


def chain(pairs: Pairs, verb: str, link: str, cohorts: int) -> str:
    """Who stands before whom: `a is ahead of b and c; b of c`."""
    behind: dict[str, list[str]] = {}
    for one, other in pairs:
        behind.setdefault(one, []).append(other)
    ranked = sorted(behind, key=lambda each: -len(behind[each]))
    said = [
        f"{each} {link} {'all others' if 1 < len(behind[each]) == cohorts - 1 else listed(behind[each])}"
        for each in ranked[:MOST_NAMED]
    ]
    left = sum(len(behind[each]) for each in ranked[MOST_NAMED:])
    said[0] = said[0].replace(f"{ranked[0]} ", f"{ranked[0]} {verb} ", 1)
    return "; ".join([*said, *([f"{left} more in the table of differences"] if left else [])])
