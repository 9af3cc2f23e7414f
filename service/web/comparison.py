"""Two finished jobs of one image set side by side. Pure: two results documents in, what a page shows out."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.web.formatting import NOTHING
from service.web.panels import Json, Mark, Panel, ShownCohort, panels

SIDES = ("a", "b")
IGNORED_FIELDS = (
    "name",
    "labels",
    "cohorts",
    "priority",
    "deadline",
    "shard_size",
    "gate",
    "maps",
)  # of a spec: what no number depends on
Lines = Sequence[tuple[str, float | None, float | None]]


@dataclass(frozen=True)
class Pair:
    """A cohort of each job, and how much larger the second's mean is."""

    a: Mark
    b: Mark
    difference: float
    intervals_disjoint: bool | None


@dataclass(frozen=True)
class MeasureComparison:
    """A measure of both jobs; `pairs` are the cohorts that answer each other, `parts` the first pair's details."""

    panel: Panel
    pairs: Sequence[Pair]
    parts: Lines


@dataclass(frozen=True)
class SettingDifference:
    """What the jobs did differently, beside their models."""

    field: str
    a: str
    b: str


def is_same_image_set(a: Json, b: Json) -> bool:
    """Whether two results are of the same pictures under the same names and labels."""
    return bool(a["provenance"]["images"]["sha256"] == b["provenance"]["images"]["sha256"])


def compare_measures(a: Json, b: Json) -> list[MeasureComparison]:
    """Every measure that either of two results has."""
    shown = [
        ShownCohort(f"{side.upper()} · {name}", side, cohort)
        for side, results in zip(SIDES, (a, b), strict=True)
        for name, cohort in results["cohorts"].items()
    ]
    partners = _partners(a, b)
    return [
        MeasureComparison(panel, list(_pairs(panel, partners)), _parts(panel.measure, a, b, partners))
        for panel in panels(shown)
    ]


def setting_differences(a: Json, b: Json) -> list[SettingDifference]:
    """The settings and software in which two results differ."""
    one, other = dict(_flatten(_settings_of(a))), dict(_flatten(_settings_of(b)))
    fields = dict.fromkeys([*one, *other])
    return [
        SettingDifference(field, one.get(field, NOTHING), other.get(field, NOTHING))
        for field in fields
        if one.get(field) != other.get(field)
    ]


def _partners(a: Json, b: Json) -> list[tuple[str, str]]:
    """Cohorts that answer each other: the only ones, or those of one name."""
    ours, theirs = list(a["cohorts"]), list(b["cohorts"])
    if len(ours) == len(theirs) == 1:
        return [(ours[0], theirs[0])]
    return [(name, name) for name in ours if name in theirs]


def _pairs(panel: Panel, partners: Sequence[tuple[str, str]]) -> Iterator[Pair]:
    marks = {mark.label: mark for mark in panel.marks}
    for ours, theirs in partners:
        one, other = marks.get(f"A · {ours}"), marks.get(f"B · {theirs}")
        if one and other and one.mean is not None and other.mean is not None:
            yield Pair(one, other, other.mean - one.mean, panel.intervals_disjoint(one, other))


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
    made = results["provenance"]
    spec = {name: value for name, value in made["spec"].items() if name not in IGNORED_FIELDS}
    made_by = results.get("format", "an earlier release's")
    return {
        **spec,
        "format of the numbers": made_by,
        "device": made["device"],
        "precision": made["precision"],
        "software": made["software"],
    }


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
