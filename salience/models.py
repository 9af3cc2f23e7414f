"""Responses of the service as dataclasses. Knows no HTTP.

`raw` is the whole JSON document, with any fields that a newer service adds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass

Json = dict[str, Any]


class JobState(StrEnum):
    """State of a job: `queued -> running -> succeeded | failed | cancelled`."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """Outcome of a gate or of one rule, from best to worst."""

    PASS = "pass"
    INCONCLUSIVE = "inconclusive"
    FAIL = "fail"
    ERROR = "error"


OPEN_STATES = (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True)
class Check:
    """Result of a soundness check, which must hold before the measures of a cohort mean anything.
    `run` is the index of the checked run, or None for the whole cohort. `number` is the value that is compared with
    `limit`, and `ci95` its interval.

    `status` is `ok`, `warning`, `failed`, `not checked`, or `off` if a gate switches the check off.
    """

    cohort: str
    run: int | None
    name: str
    status: str
    number: float | None
    ci95: tuple[float, float] | None
    limit: float | None
    sentence: str

    @classmethod
    def from_json(cls, raw: Json, cohort: str, run: int | None) -> "Check":
        """Read a check from JSON."""
        ends = tuple(raw["interval"]) if raw["interval"] else None
        return cls(cohort, run, raw["name"], raw["status"], raw["number"], ends, raw["limit"], raw["sentence"])


@dataclass(frozen=True)
class Verdict:
    """Outcome of a gate and its reason. Each of `rules` is a JSON object with the rule and the reason of its outcome.

    `soundness` has the soundness checks that fail, warn, or are changed by the gate.
    """

    outcome: Outcome
    reason: str
    rules: tuple[Json, ...]
    raw: Json = field(repr=False)
    soundness: tuple[Check, ...] = ()

    @classmethod
    def from_json(cls, raw: Json) -> "Verdict":
        """Read a verdict from JSON."""
        checks = tuple(Check.from_json(each, each["cohort"], each["run"]) for each in raw.get("soundness", ()))
        return cls(Outcome(raw["outcome"]), raw["reason"], tuple(raw["rules"]), raw, checks)


@dataclass(frozen=True)
class Job:
    """State of a job at the time of the request."""

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
        """Read a job from JSON."""
        done, error = raw["progress"], raw["error"] or {}
        return cls(
            raw["id"], JobState(raw["state"]), raw["name"], raw["labels"], done["images_done"], done["images_total"],
            error.get("detail"), Verdict.from_json(raw["verdict"]) if raw["verdict"] else None, raw,
        )  # fmt: skip

    @property
    def ended(self) -> bool:
        """Whether the job has succeeded, failed or been cancelled."""
        return self.state not in OPEN_STATES


@dataclass(frozen=True)
class Artifact:
    """An uploaded file. `uri` names it in a spec; `size` is in bytes."""

    uri: str
    sha256: str
    size: int
