"""Writes sentences that rank the cohorts. Sentences about two cohorts give the difference, others only the names."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.gate import failed_check
from service.measures import MEASURES
from service.web.report.data import Json, ReportData
from service.web.report.interpretation import INTERPRETATIONS, Interpretation, compare_blurs, join_words
from service.web.report.single_runs import compares_models, model_titles, only_models

MAX_NAMED = 3  # cohorts that a sentence names as ahead; the table has all pairs
Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Lead:
    """One cohort ahead of another in a measure; `excuse` says why the higher value is not better here."""

    winner: str
    loser: str
    measure: str
    by: str
    excuse: str


def compared_cohorts(data: ReportData) -> list[str]:
    """Return the names of the compared cohorts: those of the job, and the baseline from an earlier job."""
    named = [name for each in data.results["differences"] for name in (each["a"], each["b"])]
    return list(dict.fromkeys([*data.cohorts, *named]))


def find_leads(data: ReportData) -> list[Lead]:
    """Return every lead of a cohort that differs, in the order of the page; single models have none."""
    return [
        _lead(data, interpretation, each)
        for measure, interpretation in data.measures
        if interpretation.better
        for each in data.differences(measure)
        if recipes_differ(each)
    ]


def recipes_differ(each: Json) -> bool:
    """Return whether two cohorts of several runs differ, after correction for the number of measures."""
    return bool(each["differs"]) and not compares_models(each)


def _lead(data: ReportData, interpretation: Interpretation, each: Json) -> Lead:
    winner, loser = interpretation.order((each["a"], each["b"]), each["mean"])
    low, high = sorted(map(abs, each["ci95"]))
    by = f"by {abs(each['mean']):.3f} (95 % interval {low:.3f} to {high:.3f})"
    return Lead(winner, loser, interpretation.title.lower(), by, excuse_high_value(data, each["measure"], winner))


def undecided_titles(data: ReportData) -> list[str]:
    """Return the titles of the measures for which the results do not say of any two cohorts whether they differ."""
    return [
        interpretation.title.lower()
        for measure, interpretation in data.measures
        if (found := data.differences(measure)) and all(each["differs"] is None for each in found)
    ]


def headline(cohorts: Sequence[str], found: Sequence[Lead], others: Sequence[str]) -> str:
    """Say which cohort is best, by leads without an excuse; `others` are the other measures in which cohorts differ."""
    merits = [lead for lead in found if not lead.excuse]
    if not merits and others:
        return f"No cohort looks better: they differ only in {join_words(list(others))}."
    if not merits:
        return "No measure distinguishes the cohorts, after correction for the number of measures."
    unbeaten = [each for each in cohorts if all(_balance(merits, other, each) <= 0 for other in cohorts)]
    for best in unbeaten:
        if all(_balance(merits, best, other) > 0 for other in cohorts if other != best):
            return _looks_best(best, merits, len(cohorts) - 1)
    if len(cohorts) == 2:  # a and b
        split = ", ".join(f"{each} in {_measures(merits, winner=each)}" for each in cohorts)
        return f"The cohorts are ahead of each other in different measures: {split}."
    known = (
        f"; on balance {join_words(unbeaten)} {'is' if len(unbeaten) == 1 else 'are'} behind no other cohort"
        if unbeaten
        else ""
    )
    return f"No cohort is ahead of all others{known if len(unbeaten) < len(cohorts) else ''}."


def _balance(merits: Sequence[Lead], one: str, other: str) -> int:
    """Return in how many more measures one cohort is ahead of another than behind it."""
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
    """Name the measures in which a cohort leads all rivals, or some; `beaten` counts the rivals in each measure."""
    everywhere = [measure for measure, count in beaten.items() if count == rivals]
    somewhere = [measure for measure, count in beaten.items() if count < rivals]
    if not everywhere:
        return f"of each other cohort in at least one of {join_words(somewhere)}"
    return f"of all others in {join_words(everywhere)}" + (f", of some in {join_words(somewhere)}" if somewhere else "")


def _measures(merits: Sequence[Lead], winner: str = "", loser: str = "") -> str:
    named = [lead.measure for lead in merits if winner in ("", lead.winner) and loser in ("", lead.loser)]
    return join_words(list(dict.fromkeys(named)))


def lead_sentences(data: ReportData, found: Sequence[Lead]) -> list[str]:
    """Write a sentence for each measure that distinguishes cohorts, and one for all measures that do not."""
    few, by_measure = len(compared_cohorts(data)) <= 2, dict[str, list[Lead]]()  # a and b
    for lead in found:
        if not lead.excuse:
            by_measure.setdefault(lead.measure, []).append(lead)
    sentences = [_reason(measure, own, data, few) for measure, own in by_measure.items()]
    undecided = undecided_titles(data)
    shown = {*(lead.measure for lead in found), *model_titles(data), *undecided}
    titles = [interpretation.title.lower() for _, interpretation in data.measures if interpretation.better]
    unclear = [each for each in titles if each not in shown]
    whom = ("the {}" if few else "any two {}").format("models" if only_models(data) else "cohorts")
    if unclear:
        verb = "does" if len(unclear) == 1 else "do"
        sentences.append(f"{join_words(unclear).capitalize()} {verb} not distinguish {whom}.")
    if undecided:
        sentences.append(f"These results do not say whether {whom} differ in {join_words(undecided)}.")
    return sentences


def _reason(measure: str, own: Sequence[Lead], data: ReportData, few: bool) -> str:
    if few:
        return f"{measure.capitalize()}: {own[0].winner} is ahead of {own[0].loser} {own[0].by}."
    pairs = [(lead.winner, lead.loser) for lead in own]
    return f"{measure.capitalize()}: {ranking_sentence(pairs, 'is ahead', 'of', len(compared_cohorts(data)))}."


def excused_leads(found: Sequence[Lead]) -> list[str]:
    """Write a sentence for each lead with an excuse: the higher value is not better."""
    return [
        f"{lead.measure.capitalize()}: {lead.winner} is higher than {lead.loser} {lead.by}, which is not better: "
        f"{lead.excuse}."
        for lead in found if lead.excuse
    ]  # fmt: skip


def neutral_differences(data: ReportData) -> dict[str, str]:
    """Return a sentence for each measure that differs and has no better side, by its title."""
    found = {}
    for measure, interpretation in data.measures:
        pairs = [
            interpretation.order((each["a"], each["b"]), each["mean"])
            for each in data.differences(measure) if not interpretation.better and recipes_differ(each)
        ]  # fmt: skip
        if pairs:
            sentence = ranking_sentence(pairs, "uses more of the image", "than", len(compared_cohorts(data)))
            found[interpretation.title.lower()] = f"{interpretation.title} (neither side is better): {sentence}."
    return found


def ranking_sentence(pairs: Pairs, verb: str, link: str, cohorts: int) -> str:
    """Write which cohorts are ahead of which, such as `a is ahead of b and c; b of c`."""
    behind: dict[str, list[str]] = {}
    for one, other in pairs:
        behind.setdefault(one, []).append(other)
    ranked = sorted(behind, key=lambda each: -len(behind[each]))
    parts = [
        f"{each} {link} {'all others' if 1 < len(behind[each]) == cohorts - 1 else join_words(behind[each])}"
        for each in ranked[:MAX_NAMED]
    ]
    left = sum(len(behind[each]) for each in ranked[MAX_NAMED:])
    parts[0] = parts[0].replace(f"{ranked[0]} ", f"{ranked[0]} {verb} ", 1)
    return "; ".join([*parts, *([f"{left} more in the table of differences"] if left else [])])


def excuse_high_value(data: ReportData, measure: str, cohort: str) -> str:
    """Return why a high value of a cohort is not better; empty if nothing speaks against it.

    A high value is not better if a soundness check of the cohort fails, if it is not clearly above chance, or if the
    interval of the measure's control part does not lie above 0: if blurring the object changes the map no more than
    blurring the background does, the map does not show what the model uses.
    """
    failed = failed_check(data.results, cohort)
    if failed is not None:
        return f"the soundness check {failed.name} of {failed.subject} fails"
    own = data.measures_of(cohort).get(measure) if cohort in data.cohorts else None
    if own is None:
        return ""
    by_chance = INTERPRETATIONS[measure].excuse_by_chance(own)
    control = MEASURES[measure].control_part
    if by_chance or control is None:
        return by_chance
    ends = own.get("parts", {}).get(control, {}).get("ci95")
    return "" if not ends or ends[0] > 0 else compare_blurs(ends)
