"""Geometry: whether the map follows the content of a moved, turned or scaled image."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from service.errors import FieldProblem
from service.measures.measure import MapVariants, Measure, Ranking, Size, Wording
from service.measures.sources import CRUM
from service.measures.strict_model import StrictModel

_TRANSFORM = (
    r"^(hflip|vflip|rot90|rot270|shift:-?[0-9]{1,4},-?[0-9]{1,4}"
    r"|rotate:-?[0-9]{1,3}(\.[0-9]{1,3})?|scale:[0-9]{1,2}(\.[0-9]{1,3})?)$"
)
VARIANT = re.compile(_TRANSFORM)
Transform = Annotated[str, StringConstraints(pattern=_TRANSFORM)]

SHIFTS = tuple(f"shift:{dx},{dy}" for dy in (-16, 0, 16) for dx in (-16, 0, 16) if dx or dy)
TRANSFORMS = ("hflip", "vflip", "rot90", "rot270", *SHIFTS)
MIN_RESAMPLED_SIDE = 16  # so that SSIM windows fit


class GeometryOptions(StrictModel):
    """The transformations that the map should follow."""

    transforms: Annotated[list[Transform], Field(min_length=1, max_length=50)] = list(TRANSFORMS)  # noqa: RUF012  # pydantic copies it
    """Transformations: `hflip`, `vflip`, `rot90`, `rot270`, `shift:DX,DY` in pixels, `rotate:DEGREES`, `scale:FACTOR`.
    """


def _variants(options: GeometryOptions) -> Sequence[str]:
    return options.transforms


def _sample(options: GeometryOptions) -> Sequence[str]:
    return ["hflip" if "hflip" in options.transforms else options.transforms[0]]


def _narrow(_options: GeometryOptions, names: Sequence[str]) -> Mapping[str, Any]:
    return {"transforms": names}


def _validate(options: GeometryOptions, sizes: Mapping[str, Size]) -> Iterator[FieldProblem]:
    for number, transform in enumerate(options.transforms):
        for cohort, (height, width) in sizes.items():
            detail = _transform_problem(transform, height, width)
            if detail:
                yield FieldProblem(
                    f"options.geometry.transforms[{number}]",
                    f"{transform} {detail} (cohort {cohort!r}); list options.geometry.transforms without it",
                )


def _transform_problem(transform: str, height: int, width: int) -> str | None:
    if transform in ("rot90", "rot270") and height != width:
        return f"needs a square input, but preprocessing.size is {height} x {width}"
    if transform.startswith("shift:"):
        dx, dy = map(int, transform.removeprefix("shift:").split(","))
        if not (dx or dy):
            return "does not move the image"
        if abs(dx) >= width or abs(dy) >= height:
            return f"moves the whole image out of an input of {height} x {width} pixels"
    if transform.startswith(("rotate:", "scale:")):
        return _resampling_problem(transform, min(height, width))
    return None


def _resampling_problem(transform: str, side: int) -> str | None:
    kind, _, amount = transform.partition(":")
    by = float(amount)
    if kind == "rotate":
        if by % 360 == 0:
            return "does not rotate the image"
        if side < MIN_RESAMPLED_SIDE:
            return f"leaves too few pixels to compare; the input must have at least {MIN_RESAMPLED_SIDE} pixels a side"
        return None
    if by == 1:
        return "does not scale the image"
    if not 0.25 <= by <= 4 or by * side < MIN_RESAMPLED_SIDE:
        return f"leaves too few pixels to compare; scale by 0.25 to 4, and to at least {MIN_RESAMPLED_SIDE} pixels"
    return None


GEOMETRY = Measure(
    name="geometry",
    meaning="Mean SSIM between transformed maps and the maps of transformed images. High: salience follows the "
    "content.",
    source=f"Salience Resilience to Geometrical Transformations, {CRUM}",
    wording=Wording(
        "Geometry",
        "Does attention follow the content of a moved or turned image?",
        low="attention does not follow the content",
        middling="attention partly follows the content",
        high="attention follows the content",
    ),
    options=GeometryOptions,
    has_chance=True,
    variants=_variants,
    validate=_validate,
    ranking=Ranking(
        "follows transformations least", "Follows transformations least", "attention follows moved content least"
    ),
    map_variants=MapVariants(
        syntax="a transformation such as hflip, rot90, shift:16,0, rotate:15 or scale:0.8",
        pattern=VARIANT,
        sample=_sample,
        narrow=_narrow,
        background=lambda name: "mirrored image" if name == "hflip" else "nothing",
    ),
)
