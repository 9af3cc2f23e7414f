"""The variants of a picture that maps are made of, by the names that people write: `hflip`, `noise:0.2`, `background`.

Pure. A variant's own spec is the job's with nothing measured but that.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from service.errors import FilterInvalid
from service.measures.options import Options
from service.spec.model import JobSpec

CLEAN, NOISE, DEGRADED = "clean", "noise", "degraded"
BLURS = ("background", "object")
ORDERS = ("most", "least")
HELP = (
    "write clean, noise:AMOUNT, a transformation such as hflip, rot90, shift:16,0, rotate:15 or scale:0.8, degraded "
    "(or background), object, or most:SHARE and least:SHARE"
)
RANGES: Mapping[str, str] = {  # of the options that a variant's number becomes
    "amounts": "the AMOUNT of noise:AMOUNT, a share of the values, is from 0 to 1",
    "sigmas": "the AMOUNT of noise:AMOUNT, a standard deviation, is above 0 and at most 10",
    "curve": "the SHARE of most:SHARE and least:SHARE is above 0 and below 1",
}


def sample_variants(spec: JobSpec) -> list[str]:
    """The variants that are kept of a job's sample: the clean picture, and what the spec's measures compare with it."""
    found = [CLEAN]
    if "noise" in spec.measures:
        levels = sorted(spec.options.noise.levels)
        found.append(f"{NOISE}:{levels[len(levels) // 2]}")
    if "geometry" in spec.measures:
        transforms = spec.options.geometry.transforms
        found.append("hflip" if "hflip" in transforms else transforms[0])
    if "degradation" in spec.measures:
        found += BLURS
    return found


def canonical_name(variant: str) -> str:
    """A variant's one name, of those that people write."""
    if variant == DEGRADED:
        return BLURS[0]
    kind, colon, amount = variant.partition(":")
    if colon and kind in (NOISE, *ORDERS):
        try:
            return f"{kind}:{float(amount)}"
        except ValueError:
            raise _invalid_variant(variant) from None
    return variant


def with_only_variants(spec: JobSpec, variants: Sequence[str]) -> JobSpec:
    """The spec that makes these variants and no others. Raises FilterInvalid."""
    noise = [_format_amount(each) for each in variants if each.startswith(f"{NOISE}:")]
    curve = sorted(
        {_format_amount(each) for each in variants if each.startswith(tuple(f"{order}:" for order in ORDERS))}
    )
    blurred = bool(curve) or any(each in BLURS for each in variants)
    known = (CLEAN, *BLURS)
    moved = [each for each in variants if each not in known and not each.startswith((f"{NOISE}:", "most:", "least:"))]
    measures = [name for name, used in (("noise", noise), ("geometry", moved), ("degradation", blurred)) if used]
    options = _options(spec, noise, moved, curve, variants)
    return spec.model_copy(update={"measures": measures, "options": options})


def _options(
    spec: JobSpec, noise: Sequence[float], moved: Sequence[str], curve: Sequence[float], variants: Sequence[str]
) -> Options:
    levels = "amounts" if spec.options.noise.kind == "salt_pepper" else "sigmas"
    values: dict[str, Any] = spec.options.model_dump()
    values["noise"] |= {levels: noise} if noise else {}
    values["geometry"] |= {"transforms": moved} if moved else {}
    values["degradation"] = {"curve": curve}
    try:
        return Options.model_validate(values)
    except ValidationError as error:
        wrong = next((str(part) for part in error.errors()[0]["loc"] if part in RANGES), "")
        remedy = f"{RANGES[wrong]}; {HELP}" if wrong else HELP
        raise _invalid_variant(", ".join(variants), remedy) from None


def variant_of(measure: str, key: str) -> str:
    """The name of a measure's variant."""
    return f"{NOISE}:{key}" if measure == NOISE else key


def image_cohort(spec: JobSpec, cohort: int) -> int:
    """The first cohort whose models see pictures as this one's do."""
    own = spec.cohorts[cohort].model.preprocessing
    return next(number for number, each in enumerate(spec.cohorts) if each.model.preprocessing == own)


def value_column(variant: str, measures: Collection[str]) -> str | None:
    """The column that tells how alike the maps of a variant and of the clean picture are; None of the clean one."""
    if variant == CLEAN:
        return None
    if variant.startswith(f"{NOISE}:"):
        return f"noise.{variant.removeprefix(f'{NOISE}:')}.ssim"
    measure = "degradation" if variant in BLURS else "geometry"
    return f"{measure}.{variant}.ssim" if measure in measures else None


def _format_amount(variant: str) -> float:
    return float(variant.partition(":")[2])


def _invalid_variant(variant: str, remedy: str = HELP) -> FilterInvalid:
    return FilterInvalid(field="query.variant", detail=f"variant={variant}: {remedy}")
