"""Results of a job as dataclasses. Knows no HTTP."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from salience.models import Check, Json

if TYPE_CHECKING:
    from pandas import DataFrame

FIRST_FORMAT = 1  # the format of results documents that have no field `format`
COLUMNS = (
    "cohort", "measure", "part", "n", "mean", "sd", "low", "high",
    "chance", "chance_low", "chance_high", "corrected", "corrected_low", "corrected_high",
)  # fmt: skip


@dataclass(frozen=True)
class Statistic:
    """A measure of a cohort: its mean over images, with a standard deviation and a 95 % confidence interval.

    `n` images have a value and `missing` images have none, for example because their map is zero everywhere.
    `parts` holds further statistics of the measure, such as one for each noise level. `chance` is what unrelated images
    have instead of a similarity's mean, and `corrected` the mean corrected for it; None for what is no similarity.
    """

    mean: float | None
    sd: float | None
    ci95: tuple[float, float] | None
    n: int | None
    parts: Mapping[str, "Statistic"]
    missing: int = 0
    chance: float | None = None
    chance_ci95: tuple[float, float] | None = None
    corrected: float | None = None
    corrected_ci95: tuple[float, float] | None = None

    @classmethod
    def from_json(cls, raw: Json) -> "Statistic":
        """Read a statistic from JSON. Absent numbers become None; the matrix of the measure stability is left out."""
        found = (raw.get("parts") or {}).items()
        parts = {name: cls.from_json(part) for name, part in found if isinstance(part, dict)}
        ends = {name: tuple(raw[name]) if raw.get(name) else None for name in ("ci95", "chance_ci95", "corrected_ci95")}
        return cls(
            raw.get("mean"), raw.get("sd"), n=raw.get("n"), parts=parts, missing=raw.get("missing", 0),
            chance=raw.get("chance"), corrected=raw.get("corrected"), **ends,
        )  # fmt: skip


@dataclass(frozen=True)
class Difference:
    """Mean of cohort `a` minus mean of cohort `b`, paired by image, with a 95 % interval.

    `d_z` is the mean over the standard deviation of the images' differences. `p` is uncorrected, and `p_holm` is Holm's
    adjusted p value over the headline measures of the job. `differs` is whether the cohorts differ at 5 % after that
    correction; None for parts of measures. If `compares` is "models", a cohort has only one run, so that the difference
    is between these two models and tells nothing about their training recipes. Results of formats before 4 have None
    for `d_z`, `p`, `p_holm`, `differs` and `compares`.
    """

    a: str
    b: str
    measure: str
    mean: float | None
    ci95: tuple[float, float] | None
    d_z: float | None
    p: float | None = None
    p_holm: float | None = None
    differs: bool | None = None
    compares: str | None = "recipes"


@dataclass(frozen=True)
class Results:
    """Results of a job: measures and share of degenerate maps of each cohort, and differences between cohorts.

    `soundness` has the checks of every cohort and of its runs; none in results of formats before 4.
    `performance` has each cohort's numbers of detection performance, such as `auroc`; none without labels and in
    results of formats before 4. `format` is the format of the numbers; results of different formats are not comparable.
    """

    job: str
    cohorts: Mapping[str, Mapping[str, Statistic]]
    differences: tuple[Difference, ...]
    raw: Json = field(repr=False)
    degenerate: Mapping[str, Statistic] = field(default_factory=dict)
    soundness: tuple[Check, ...] = ()
    performance: Mapping[str, Mapping[str, Statistic]] = field(default_factory=dict)
    format: int = FIRST_FORMAT

    @classmethod
    def from_json(cls, raw: Json) -> "Results":
        """Read results from JSON."""
        cohorts = {
            name: {measure: Statistic.from_json(numbers) for measure, numbers in cohort["measures"].items()}
            for name, cohort in raw["cohorts"].items()
        }
        shares = {
            name: Statistic.from_json(cohort["degenerate"])
            for name, cohort in raw["cohorts"].items()
            if "degenerate" in cohort
        }
        checks = tuple(
            Check.from_json(each, name, run)
            for name, found in raw.get("soundness", {}).items()
            for run, results in [(None, found["checks"]), *enumerate(found["runs"])]
            for each in results
        )
        performance = {name: _performance(cohort.get("performance") or {}) for name, cohort in raw["cohorts"].items()}
        differences = tuple(map(_difference, raw["differences"]))
        number = raw.get("format", FIRST_FORMAT)
        return cls(raw["job"], cohorts, differences, raw, shares, checks, performance, number)

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the values of COLUMNS for every measure of every cohort, and for each of its parts.

        `part` is empty in the row of the measure itself.
        """
        for cohort, measures in self.cohorts.items():
            for measure, headline in measures.items():
                for part, found in {"": headline, **headline.parts}.items():
                    nothing = (None, None)
                    yield (
                        cohort, measure, part, headline.n if found.n is None else found.n, found.mean, found.sd,
                        *(found.ci95 or nothing), found.chance, *(found.chance_ci95 or nothing), found.corrected,
                        *(found.corrected_ci95 or nothing),
                    )  # fmt: skip

    def frame(self) -> "DataFrame":
        """Return the rows as a pandas DataFrame. Raises ImportError without pandas."""
        from pandas import DataFrame

        return DataFrame(list(self.rows()), columns=list(COLUMNS))


def _performance(raw: Json) -> dict[str, Statistic]:
    """Return the numbers of detection performance that could be computed."""
    return {
        name.removesuffix("_ci95"): Statistic.from_json(
            {"mean": raw[name.removesuffix("_ci95")], "ci95": interval, "n": raw["n"]}
        )
        for name, interval in raw.items()
        if name.endswith("_ci95") and raw[name.removesuffix("_ci95")] is not None
    }


def _difference(raw: Json) -> Difference:
    ends = tuple(raw["ci95"]) if raw["ci95"] else None
    tested = (raw.get(name) for name in ("d_z", "p", "p_holm", "differs", "compares"))  # formats before 4 lack them
    return Difference(raw["a"], raw["b"], raw["measure"], raw["mean"], ends, *tested)
