"""The names of the variants of an image whose maps users can request: `hflip`, `noise:0.2`, `background`.

Pure.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from service.errors import FilterInvalid
from service.measures import MEASURES
from service.measures.measure import Background, MapVariants
from service.measures.options import Options
from service.spec.model import JobSpec

CLEAN = "clean"


def sample_variants(spec: JobSpec) -> list[str]:
    """Return the variants whose maps a job's sample stores: the clean image, and some variants of each measure."""
    own = [
        name
        for measure, named in _named_variants()
        if measure in spec.measures
        for name in named.sample(spec.options_of(measure))
    ]
    return [CLEAN, *own]


def canonical_name(variant: str) -> str:
    """Return the canonical spelling of a variant's name. Raises FilterInvalid."""
    for _, named in _named_variants():
        name = named.aliases.get(variant, variant)
        if named.pattern.fullmatch(name):
            try:
                return named.canonical(name)
            except ValueError:
                raise _invalid_variant(variant) from None
    return variant


def with_only_variants(spec: JobSpec, variants: Sequence[str]) -> JobSpec:
    """Return a spec whose audit makes maps of these variants and of as few others as possible. Raises FilterInvalid."""
    by_measure: dict[str, list[str]] = {}
    for variant in variants:
        if variant != CLEAN:
            by_measure.setdefault(_measure_of(variant), []).append(variant)
    options = _narrow_options(spec, by_measure)
    measures = [name for name in MEASURES if name in by_measure]
    return spec.model_copy(update={"measures": measures, "options": options})


def _narrow_options(spec: JobSpec, by_measure: dict[str, list[str]]) -> Options:
    values: dict[str, Any] = spec.options.model_dump()
    remedies: dict[str, str] = {}
    for measure, named in _named_variants():
        if measure in by_measure:
            values[measure] = named.narrow(spec.options_of(measure), by_measure[measure])
            remedies |= named.remedies
    try:
        return Options.model_validate(values)
    except ValidationError as error:
        remedy = next((remedies[str(part)] for part in error.errors()[0]["loc"] if part in remedies), "")
        names = ", ".join(name for own in by_measure.values() for name in own)
        raise _invalid_variant(names, remedy) from None


def variant_of(measure: str, key: str) -> str:
    """Return the name of a measure's variant."""
    named = MEASURES[measure].map_variants
    return f"{named.prefix if named else ''}{key}"


def heading_of(variant: str) -> str:
    """Return the heading of a variant's maps."""
    headings = {} if variant == CLEAN else _named_like(variant).headings
    return headings.get(variant, variant.replace(":", " "))


def background_of(variant: str) -> Background:
    """Return what a page shows behind the map of a variant."""
    return "image" if variant == CLEAN else _named_like(variant).background(variant)


def image_cohort(spec: JobSpec, cohort: int) -> int:
    """Return the first cohort whose models receive images prepared in the same way as this cohort's."""
    own = spec.cohorts[cohort].model.preprocessing
    return next(number for number, each in enumerate(spec.cohorts) if each.model.preprocessing == own)


def value_column(variant: str, measures: Collection[str]) -> str | None:
    """Return the column of the similarity between a variant's map and the clean map, None if there is no such column.

    `measures` are those that the job has computed.
    """
    if variant == CLEAN:
        return None
    measure = _measure_of(variant)
    named = MEASURES[measure].map_variants
    key = variant.removeprefix(named.prefix) if named else variant
    return f"{measure}.{key}.ssim" if measure in measures else None


def _named_like(variant: str) -> MapVariants:
    return dict(_named_variants())[_measure_of(variant)]


def _measure_of(variant: str) -> str:
    for measure, named in _named_variants():
        if named.pattern.fullmatch(variant):
            return measure
    raise _invalid_variant(variant)


def _named_variants() -> Iterator[tuple[str, MapVariants]]:
    return ((name, each.map_variants) for name, each in MEASURES.items() if each.map_variants)


def _invalid_variant(variant: str, remedy: str = "") -> FilterInvalid:
    syntax = f"write clean, {', '.join(named.syntax for _, named in _named_variants())}"
    return FilterInvalid(
        field="query.variant", detail=f"variant={variant}: {'; '.join(filter(None, (remedy, syntax)))}"
    )
