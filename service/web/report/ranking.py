"""Which cohort is ahead of which, in sentences: of two with the number, of more with the names alone. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.web.report.data import Json, ReportData
from service.web.report.degraded import excuse_high_value
from service.web.report.interpretation import Interpretation, join_words

MAX_NAMED = 3  # cohorts that a sentence calls ahead of others; the table has all pairs
Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Lead:
    """One cohort ahead of another by a measure whose better side is known; `excuse` says why that is no merit."""

    winner: str
    loser: str
    measure: str
    by: str
    excuse: str


def compared_cohorts(data: ReportData) -> list[str]:
    """The cohorts that are compared: the job's, and one of an earlier job that stands beside them."""
    named = [name for each in data.results["differences"] for name in (each["a"], each["b"])]
    return list(dict.fromkeys([*data.cohorts, *named]))


def find_leads(data: ReportData) -> list[Lead]:
    """Every lead that an interval tells, in the page's order."""
    return [
        _lead(data, interpretation, each)
        for measure, interpretation in data.measures
        if interpretation.better
        for each in data.differences(measure)
        if excludes_zero(each)
    ]


def excludes_zero(each: Json) -> bool:
    """Whether a difference's interval leaves zero out."""
    return bool(each["ci95"]) and not each["ci95"][0] <= 0 <= each["ci95"][1]


def _lead(data: ReportData, interpretation: Interpretation, each: Json) -> Lead:
    winner, loser = interpretation.order((each["a"], each["b"]), each["mean"])
    low, high = sorted(map(abs, each["ci95"]))
    by = f"by {abs(each['mean']):.3f} (95 % interval {low:.3f} to {high:.3f})"
    return Lead(winner, loser, interpretation.title.lower(), by, excuse_high_value(data, each["measure"], winner))


def headline(cohorts: Sequence[str], found: Sequence[Lead], others: Sequence[str]) -> str:
    """Which cohort looks best, by leads that are merits; `others` are measures in which cohorts differ all the same."""
    merits = [lead for lead in found if not lead.excuse]
    if not merits and others:
        return f"No cohort looks better: they differ in {join_words(list(others))} alone."
    if not merits:
        return "No measure tells the cohorts apart: every difference's interval holds zero."
    unbeaten = [each for each in cohorts if all(_balance(merits, other, each) <= 0 for other in cohorts)]
    for best in unbeaten:
        if all(_balance(merits, best, other) > 0 for other in cohorts if other != best):
            return _looks_best(best, merits, len(cohorts) - 1)
    if len(cohorts) == 2:  # a and b
        split = ", ".join(f"{each} in {_measures(merits, winner=each)}" for each in cohorts)
        return f"The cohorts are ahead of each other in different measures: {split}."
    known = (
        f"; on balance {join_words(unbeaten)} {'is' if len(unbeaten) == 1 else 'are'} behind none" if unbeaten else ""
    )
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
    behind = join_words([f"{each} in {_measures(merits, each, best)}" for each in winners])
    return f"{best} looks best: ahead {ahead}{f', though behind {behind}' if behind else ''}."


def _ahead(beaten: Mapping[str, int], rivals: int) -> str:
    """In what a cohort is ahead of all its rivals, and in what of some, by how many it beats in each measure."""
    everywhere = [measure for measure, count in beaten.items() if count == rivals]
    somewhere = [measure for measure, count in beaten.items() if count < rivals]
    if not everywhere:
        return f"of each other cohort in some of {join_words(somewhere)}"
    return f"of all others in {join_words(everywhere)}" + (f", of some in {join_words(somewhere)}" if somewhere else "")


def _measures(merits: Sequence[Lead], winner: str = "", loser: str = "") -> str:
    named = [lead.measure for lead in merits if winner in ("", lead.winner) and loser in ("", lead.loser)]
    return join_words(list(dict.fromkeys(named)))


def lead_sentences(data: ReportData, found: Sequence[Lead]) -> list[str]:
    """A sentence a measure that tells cohorts apart, and one of all measures that do not."""
    few, by_measure = len(compared_cohorts(data)) <= 2, dict[str, list[Lead]]()  # a and b
    for lead in found:
        if not lead.excuse:
            by_measure.setdefault(lead.measure, []).append(lead)
    said = [_reason(measure, own, data, few) for measure, own in by_measure.items()]
    shown = {lead.measure for lead in found}
    titles = [interpretation.title.lower() for _, interpretation in data.measures if interpretation.better]
    open_ = [each for each in titles if each not in shown]
    if open_:
        verb, whom = "does" if len(open_) == 1 else "do", "the cohorts" if few else "any two cohorts"
        said.append(f"{join_words(open_).capitalize()} {verb} not tell {whom} apart.")
    return said


def _reason(measure: str, own: Sequence[Lead], data: ReportData, few: bool) -> str:
    if few:
        return f"{measure.capitalize()}: {own[0].winner} is ahead of {own[0].loser} {own[0].by}."
    pairs = [(lead.winner, lead.loser) for lead in own]
    return f"{measure.capitalize()}: {ranking_sentence(pairs, 'is ahead', 'of', len(compared_cohorts(data)))}."


def excused_leads(found: Sequence[Lead]) -> list[str]:
    """What is larger where larger would be better, and is no merit here."""
    return [
        f"{lead.measure.capitalize()}: {lead.winner} is higher than {lead.loser} {lead.by}, which is no merit: "
        f"{lead.excuse}."
        for lead in found if lead.excuse
    ]  # fmt: skip


def neutral_differences(data: ReportData) -> dict[str, str]:
    """Measures that differ and of which neither side is better, by title, and in a sentence how."""
    found = {}
    for measure, interpretation in data.measures:
        pairs = [
            interpretation.order((each["a"], each["b"]), each["mean"])
            for each in data.differences(measure) if not interpretation.better and excludes_zero(each)
        ]  # fmt: skip
        if pairs:
            message = ranking_sentence(pairs, "uses more of the picture", "than", len(compared_cohorts(data)))
            found[interpretation.title.lower()] = f"{interpretation.title}, of which neither side is better: {message}."
    return found


def ranking_sentence(pairs: Pairs, verb: str, link: str, cohorts: int) -> str:
    """Who stands before whom: `a is ahead of b and c; b of c`."""
    behind: dict[str, list[str]] = {}
    for one, other in pairs:
        behind.setdefault(one, []).append(other)
    ranked = sorted(behind, key=lambda each: -len(behind[each]))
    said = [
        f"{each} {link} {'all others' if 1 < len(behind[each]) == cohorts - 1 else join_words(behind[each])}"
        for each in ranked[:MAX_NAMED]
    ]
    left = sum(len(behind[each]) for each in ranked[MAX_NAMED:])
    said[0] = said[0].replace(f"{ranked[0]} ", f"{ranked[0]} {verb} ", 1)
    return "; ".join([*said, *([f"{left} more in the table of differences"] if left else [])])
