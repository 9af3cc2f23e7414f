"""Describes a measure for the API, the gate, the client and the report. Computes nothing."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from service.errors import FieldProblem
from service.measures.strict_model import StrictModel

Bounds = tuple[float, float]
Size = tuple[int, int]
VariantKind = Literal["independent", "guided", "randomised"]
Background = Literal["image", "mirrored image", "nothing"]

UNIT: Bounds = (0.0, 1.0)
SIGNED: Bounds = (-1.0, 1.0)
SIMILARITY_STATISTICS = ("pearson", "mse", "iou20")  # in the results next to each mean SSIM
CHANCE_STATISTICS = ("chance", "corrected")  # in the results next to each mean SSIM of measures with `has_chance`


@dataclass(frozen=True)
class Wording:
    """How the report words a measure: its question, and what low, middling and high values mean."""

    title: str
    question: str
    low: str
    middling: str
    high: str
    better: int = 1  # 1: high values are better; -1: low values are better; 0: neither
    bands: tuple[float, float] = (0.4, 0.7)
    unit: str = "similarity of maps (SSIM)"


@dataclass(frozen=True)
class Ranking:
    """Why the image with the lowest value is in a job's sample, and how the report titles and explains its group."""

    why: str
    title: str
    meaning: str


@dataclass(frozen=True)
class FigureStyle:
    """How `salience figure` draws a measure: the names of rows and the label of the value axis.

    With `levels`, the label of an axis of levels, the figure is a curve over the variants.
    """

    rows: Mapping[str, str] = field(default_factory=dict)
    unit: str = "similarity of maps (SSIM)"
    levels: str | None = None


def canonical_amount(name: str) -> str:
    """Return a name such as `noise:.20` with its number in Python's notation. Raises ValueError without a number."""
    kind, colon, amount = name.partition(":")
    return f"{kind}:{float(amount)}" if colon else name


def _unmoved(_variant: str) -> Background:
    return "image"


@dataclass(frozen=True)
class MapVariants:
    """How users name the variants whose maps they request. A variant's name is `prefix` followed by its key.

    `syntax` describes the names, and every name matches `pattern`.
    `sample` returns the variants whose maps are stored with a job's sample. `narrow` returns options that give the
    measure the named variants and as few others as possible. `remedies` says, by option, which values a name may
    contain.
    """

    syntax: str
    pattern: re.Pattern[str]
    sample: Callable[[Any], Sequence[str]]
    narrow: Callable[[Any, Sequence[str]], Mapping[str, Any]]
    prefix: str = ""
    canonical: Callable[[str], str] = str
    """Returns the canonical spelling of a name. Raises ValueError."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    remedies: Mapping[str, str] = field(default_factory=dict)
    headings: Mapping[str, str] = field(default_factory=dict)
    """The headings of maps whose variants' names do not explain themselves."""
    background: Callable[[str], Background] = _unmoved
    """Returns what a page shows behind the map of a variant."""


def _no_variants(_options: Any) -> Sequence[str]:
    return ()


def _no_parts(_options: Any) -> Mapping[str, Sequence[str]]:
    return {}


def _is_never_seeded(_options: Any) -> bool:
    return False


def _no_problems(_options: Any, _sizes: Mapping[str, Size]) -> Iterator[FieldProblem]:
    yield from ()


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One measure. Its functions receive an instance of `options`, or None if the measure has no options."""

    name: str
    meaning: str
    source: str
    wording: Wording
    options: type[StrictModel] | None = None
    is_default: bool = True
    bounds: Bounds = SIGNED
    """The smallest and the largest value. The results have a histogram of each measure with values in [0, 1]."""
    statistics: Sequence[str] = SIMILARITY_STATISTICS
    """The statistics that the results give beside the mean, of the measure and of each variant."""
    variants: Callable[[Any], Sequence[str]] = _no_variants
    """The keys of the forward passes that the measure needs in addition to that of the clean image."""
    variant_kind: VariantKind = "independent"
    """Whether the passes see changed images, images changed by the clean image's map, or a randomised model.

    The key of a `randomised` variant is the share of layers that get new random weights.
    """
    variant_statistics: Sequence[str] = ()
    """The statistics that each variant has in addition to `statistics`."""
    extra_parts: Callable[[Any], Mapping[str, Sequence[str]]] = _no_parts
    """The parts in the results that are not variants, each with its statistics in addition to the mean."""
    part_bounds: Mapping[str, Bounds] = field(default_factory=dict)
    """The bounds of extra parts. Default: those of the measure."""
    has_chance: bool = False
    """Whether the measure and its variants are similarities of two maps that should follow the image.

    The results have beside each what unrelated images have by chance, and the number corrected for it.
    """
    across_runs: bool = False
    """Whether the measure compares the runs of a cohort; it then needs at least two runs."""
    is_compared_out_of_set: bool = False
    """Whether the results compare its distribution on the image set with that on the out-of-set images."""
    needs_human_maps: bool = False
    """Whether every image needs a human salience map."""
    is_seeded: Callable[[Any], bool] = _is_never_seeded
    """Whether the measure's values depend on the job's seed."""
    validate: Callable[[Any, Mapping[str, Size]], Iterator[FieldProblem]] = _no_problems
    """Yields the problems of the options, given each cohort's input size (height, width) by the cohort's name."""
    ranking: Ranking | None = None
    map_variants: MapVariants | None = None
    control_part: str | None = None
    """The part whose interval must lie above zero before a high value counts as better."""
    figure: FigureStyle = FigureStyle()

    def parts(self, options: Any) -> dict[str, Sequence[str]]:
        """Return the parts in the results, each with its statistics in addition to the mean."""
        of_variants = (*self.statistics, *self.variant_statistics, *self.chance_statistics)
        return {**dict.fromkeys(self.variants(options), of_variants), **self.extra_parts(options)}

    @property
    def chance_statistics(self) -> Sequence[str]:
        """The statistics that the measure and each variant have in addition, with intervals also in runs and strata."""
        return CHANCE_STATISTICS if self.has_chance else ()

    def similarities(self, options: Any) -> list[str]:
        """Return the columns of the measure and of its variants, which are means of SSIM."""
        return [self.name, *(f"{self.name}.{variant}.ssim" for variant in self.variants(options))]

    def column_bounds(self, options: Any) -> dict[str, Bounds]:
        """Return the bounds of the measure's column and of the columns of its extra parts, by column name."""
        extra = {f"{self.name}.{part}": self.part_bounds.get(part, self.bounds) for part in self.extra_parts(options)}
        return {self.name: self.bounds, **extra}
