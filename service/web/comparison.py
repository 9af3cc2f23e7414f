"""Compares the results of two jobs of one image set, and builds the panels of the job page. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.domain.results_format import format_of
from service.measures import MEASURES
from service.web.formatting import NOTHING
from service.web.report.charts import TONES, Mark
from service.web.report.figures import Panel

Json = Mapping[str, Any]

SIDES = ("A", "B")
IGNORED_FIELDS = (  # fields of a spec that do not change the measured values
    "name", "labels", "cohorts", "priority", "deadline", "shard_size", "gate", "maps",
)  # fmt: skip
Lines = Sequence[tuple[str, float | None, float | None]]


@dataclass(frozen=True)
class Pair:
    """A cohort of each job, and the difference of their means, B - A."""

    a: Mark
    b: Mark
    difference: float
    intervals_disjoint: bool | None


@dataclass(frozen=True)
class MeasureComparison:
    """A measure of two jobs; `pairs` are the corresponding cohorts, `parts` the details of the first pair."""

    panel: Panel
    pairs: Sequence[Pair]
    parts: Lines


@dataclass(frozen=True)
class SettingDifference:
    """A setting or a piece of software that differs between the jobs."""

    field: str
    a: str
    b: str


@dataclass(frozen=True)
class ShownCohort:
    """A cohort of a results document, with its label and tone on the page."""

    label: str
    tone: int
    cohort: Json


def job_panels(results: Json) -> list[Panel]:
    """Return the panels of one job, each cohort in its own tone."""
    cohorts = enumerate(results["cohorts"].items())
    return _panels([ShownCohort(name, place % TONES + 1, each) for place, (name, each) in cohorts])


def reason_not_comparable(a: Json, b: Json) -> str | None:
    """Return why two results cannot be compared, None if they can."""
    if a["provenance"]["images"]["sha256"] != b["provenance"]["images"]["sha256"]:
        return "they audited different images"
    if format_of(a) != format_of(b):
        return (
            f"their numbers have format {format_of(a)} and format {format_of(b)}, and the releases that computed them "
            "define some numbers differently; audit the older one again"
        )
    return None


def compare_measures(a: Json, b: Json) -> list[MeasureComparison]:
    """Compare every measure that either job has. All cohorts of one job have the same colour."""
    shown = [
        ShownCohort(f"{side} · {name}", place, cohort)
        for place, (side, results) in enumerate(zip(SIDES, (a, b), strict=True), start=1)
        for name, cohort in results["cohorts"].items()
    ]
    partners = _partners(a, b)
    return [
        MeasureComparison(panel, list(_pairs(panel, partners)), _parts(panel.measure, a, b, partners))
        for panel in _panels(shown)
    ]


def setting_differences(a: Json, b: Json) -> list[SettingDifference]:
    """Return the settings and software in which two results differ."""
    one, other = dict(_flatten(_settings_of(a))), dict(_flatten(_settings_of(b)))
    fields = dict.fromkeys([*one, *other])
    return [
        SettingDifference(field, one.get(field, NOTHING), other.get(field, NOTHING))
        for field in fields
        if one.get(field) != other.get(field)
    ]


def are_disjoint(one: Mark, other: Mark) -> bool | None:
    """Return whether the intervals of two marks do not overlap; None if a mark has no interval."""
    if one.interval is None or other.interval is None:
        return None
    return one.interval[1] < other.interval[0] or other.interval[1] < one.interval[0]


def _panels(shown: Sequence[ShownCohort]) -> list[Panel]:
    """Return a panel for each measure that any of the cohorts has, in the order of the catalogue."""
    had = {name for each in shown for name in each.cohort["measures"]}
    return [
        Panel(name, [_mark(each, name) for each in shown if name in each.cohort["measures"]])
        for name in MEASURES
        if name in had
    ]


def _mark(shown: ShownCohort, measure: str) -> Mark:
    own = shown.cohort["measures"][measure]
    return Mark(shown.label, shown.tone, own["mean"], own["ci95"])


def _partners(a: Json, b: Json) -> list[tuple[str, str]]:
    """Return the names of corresponding cohorts: the only cohort of each job, or cohorts of the same name."""
    ours, theirs = list(a["cohorts"]), list(b["cohorts"])
    if len(ours) == len(theirs) == 1:
        return [(ours[0], theirs[0])]
    return [(name, name) for name in ours if name in theirs]


def _pairs(panel: Panel, partners: Sequence[tuple[str, str]]) -> Iterator[Pair]:
    marks = {mark.label: mark for mark in panel.marks}
    for ours, theirs in partners:
        one, other = marks.get(f"A · {ours}"), marks.get(f"B · {theirs}")
        if one and other and one.mean is not None and other.mean is not None:
            yield Pair(one, other, other.mean - one.mean, are_disjoint(one, other))


def _parts(measure: str, a: Json, b: Json, partners: Sequence[tuple[str, str]]) -> Lines:
    if not partners:
        return []
    one, other = (
        results["cohorts"][name]["measures"].get(measure, {}).get("parts", {})
        for results, name in zip((a, b), partners[0], strict=True)
    )
    return [
        (part, _mean(one, part), _mean(other, part))
        for part in dict.fromkeys([*one, *other])
        if isinstance(one.get(part, other.get(part)), dict)
    ]


def _mean(parts: Json, part: str) -> float | None:
    return parts[part]["mean"] if part in parts else None


def _settings_of(results: Json) -> dict[str, Any]:
    provenance = results["provenance"]
    spec = {name: value for name, value in provenance["spec"].items() if name not in IGNORED_FIELDS}
    return {
        **spec,
        "device": provenance["device"],
        "precision": provenance["precision"],
        "software": provenance["software"],
    }


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
