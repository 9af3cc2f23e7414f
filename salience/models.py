"""What the service answers, as dataclasses. Knows no HTTP.

Fields that a later version adds are in `raw`, where the whole answer is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame

Json = dict[str, Any]


class JobState(StrEnum):
    """`queued -> running -> succeeded | failed | cancelled`."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """What a gate decided, from the best to the worst."""

    PASS = "pass"
    INCONCLUSIVE = "inconclusive"
    FAIL = "fail"
    ERROR = "error"


OPEN_STATES = (JobState.QUEUED, JobState.RUNNING)
COLUMNS = ("cohort", "measure", "part", "n", "mean", "sd", "low", "high")


@dataclass(frozen=True)
class Verdict:
    """What the gate says and why; `rules` are as they were answered, each with its number, interval and sentence."""

    outcome: Outcome
    reason: str
    rules: tuple[Json, ...]
    raw: Json = field(repr=False)

    @classmethod
    def from_json(cls, raw: Json) -> "Verdict":
        """The verdict in an answer."""
        return cls(Outcome(raw["outcome"]), raw["reason"], tuple(raw["rules"]), raw)


@dataclass(frozen=True)
class Job:
    """A job as it stood when it was asked for."""

    id: str
    state: JobState
    name: str | None
    labels: Mapping[str, str]
    images_done: int
    images_total: int | None
    error: str | None
    verdict: Verdict | None
    raw: Json = field(repr=False)

    @classmethod
    def from_json(cls, raw: Json) -> "Job":
        """The job in an answer."""
        done, error = raw["progress"], raw["error"] or {}
        return cls(
            raw["id"], JobState(raw["state"]), raw["name"], raw["labels"], done["images_done"], done["images_total"],
            error.get("detail"), Verdict.from_json(raw["verdict"]) if raw["verdict"] else None, raw,
        )  # fmt: skip

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state not in OPEN_STATES


@dataclass(frozen=True)
class Statistic:
    """A measure of a cohort over its images: its mean with a 95 % interval, and beside it its parts.

    `n` values are there and `missing` ones are not, as a map without salience has none.
    """

    mean: float | None
    sd: float | None
    ci95: tuple[float, float] | None
    n: int | None
    parts: Mapping[str, "Statistic"]
    missing: int = 0

    @classmethod
    def from_json(cls, raw: Json) -> "Statistic":
        """The numbers in an answer; what was not computed is None. Stability's matrix is no statistic, and left out."""
        found = (raw.get("parts") or {}).items()
        parts = {name: cls.from_json(part) for name, part in found if isinstance(part, dict)}
        interval = raw.get("ci95")
        ends = tuple(interval) if interval else None
        return cls(raw.get("mean"), raw.get("sd"), ends, raw.get("n"), parts, raw.get("missing", 0))


@dataclass(frozen=True)
class Difference:
    """One cohort's mean less another's, paired by image."""

    a: str
    b: str
    measure: str
    mean: float | None
    ci95: tuple[float, float] | None
    cohens_d: float | None


@dataclass(frozen=True)
class Results:
    """The results of a job: the measures of each cohort, its share of degenerate maps, and how the cohorts differ."""

    job: str
    cohorts: Mapping[str, Mapping[str, Statistic]]
    differences: tuple[Difference, ...]
    raw: Json = field(repr=False)
    degenerate: Mapping[str, Statistic] = field(default_factory=dict)

    @classmethod
    def from_json(cls, raw: Json) -> "Results":
        """The results in an answer."""
        cohorts = {
            name: {measure: Statistic.from_json(numbers) for measure, numbers in cohort["measures"].items()}
            for name, cohort in raw["cohorts"].items()
        }
        shares = {
            name: Statistic.from_json(cohort["degenerate"])
            for name, cohort in raw["cohorts"].items()
            if "degenerate" in cohort
        }
        return cls(raw["job"], cohorts, tuple(map(_difference, raw["differences"])), raw, shares)

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The COLUMNS of every measure of every cohort; of its parts too, where `part` is not empty."""
        for cohort, measures in self.cohorts.items():
            for measure, headline in measures.items():
                for part, found in {"": headline, **headline.parts}.items():
                    low, high = found.ci95 or (None, None)
                    yield (
                        cohort,
                        measure,
                        part,
                        headline.n if found.n is None else found.n,
                        found.mean,
                        found.sd,
                        low,
                        high,
                    )

    def frame(self) -> "DataFrame":
        """The rows as a pandas frame. Raises ImportError without pandas."""
        from pandas import DataFrame

        return DataFrame(list(self.rows()), columns=list(COLUMNS))


@dataclass(frozen=True)
class Artifact:
    """An upload as the service keeps it; `uri` names it in a spec."""

    uri: str
    sha256: str
    size: int


def _difference(raw: Json) -> Difference:
    interval = raw["ci95"]
    return Difference(
        raw["a"], raw["b"], raw["measure"], raw["mean"], tuple(interval) if interval else None, raw["cohens_d"]
    )
