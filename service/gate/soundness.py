"""The soundness checks: conditions that must hold before the results of a cohort can be trusted.

Salience maps can be empty, constant, random or forged, and then every measure of robustness is perfect. Each check
compares one number with a limit. This module knows no results document.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, WrapValidator
from pydantic_core import PydanticCustomError

from service.measures.strict_model import StrictModel

CheckName = Literal["degenerate", "image", "class", "difference", "predictions", "accuracy", "deterministic", "weights"]


class Status(StrEnum):
    """The outcome of a soundness check. It is `off` only if a gate switches the check off."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    NOT_CHECKED = "not checked"
    OFF = "off"


def _limit_or_off(value: Any, validate: Callable[[Any], Any]) -> Any:
    """Validate a limit or `off`. Raises one error for any other value, where pydantic would raise one per alternative.

    False counts as `off`, since YAML reads `off` without quotes as false.
    """
    try:
        if value is True:
            raise ValueError
        return validate("off" if value is False else value)
    except ValueError as error:
        raise PydanticCustomError("limit_or_off", "give a limit from 0 to 1, or off") from error


Limit = Annotated[Annotated[float, Field(ge=0, le=1)] | Literal["off"], WrapValidator(_limit_or_off)]
Limits = Mapping[CheckName, float | Literal["off"]]


@dataclass(frozen=True)
class Evidence:
    """The number that a check compares with its limit, the number's 95 % interval, and a limit to use instead."""

    number: float | None = None
    interval: tuple[float, float] | None = None
    limit: float | None = None


class CheckResult(StrictModel):
    """The result of a soundness check."""

    name: CheckName
    """Name of the check."""
    number: float | None
    """The value that the check compares with its limit; null if it is not known."""
    interval: tuple[float, float] | None
    """95 % interval of the number over images, for these runs. Null if the check needs none."""
    limit: float | None
    """The limit that the number was compared with."""
    status: Status
    """The outcome of the check. `off` means that the gate switches the check off."""
    sentence: str
    """A sentence that states the outcome, the number and the limit."""


class CohortCheck(CheckResult):
    """The result of a soundness check of a cohort or of one of its runs, as a gate judges it."""

    cohort: str
    """Name of the cohort."""
    run: int | None
    """Number of the run, from 0; null for the whole cohort."""

    @property
    def subject(self) -> str:
        """The name of the cohort, or of the run and its cohort, as sentences contain it."""
        return repr(self.cohort) if self.run is None else f"run {self.run} of {self.cohort!r}"


@dataclass(frozen=True, kw_only=True)
class Check:
    """A soundness check.

    `warns` and `fails` say whether the check warns or fails; a check that can only warn has no `fails`. The sentence
    about the outcome is `subject` and one of `ok`, `warning` and `failed`, or `missing` if there is no number.
    `limit` is None if the limit depends on the images.
    """

    name: CheckName
    catches: str
    limit: float | None
    rule: str
    subject: str
    ok: str
    warning: str
    missing: str
    warns: Callable[[Evidence, float], bool]
    failed: str = ""
    fails: Callable[[Evidence, float], bool] | None = None
    in_percent: bool = False

    def judge(self, evidence: Evidence) -> CheckResult:
        """Return the result of the check. The limit is that of the evidence, or by default that of the check."""
        limit = self.limit if evidence.limit is None else evidence.limit
        if evidence.number is None or limit is None:
            return self._result(evidence, limit, Status.NOT_CHECKED, f"{self.missing}.")
        status, ending = Status.OK, self.ok
        if self.fails and self.fails(evidence, limit):
            status, ending = Status.FAILED, self.failed
        elif self.warns(evidence, limit):
            status, ending = Status.WARNING, self.warning
        words = f"{self.subject}; {ending}.".format(
            number=self.format(evidence.number), interval=self._interval(evidence), limit=self.format(limit)
        )
        return self._result(evidence, limit, status, words)

    def _result(self, evidence: Evidence, limit: float | None, status: Status, sentence: str) -> CheckResult:
        return CheckResult(
            name=self.name, number=evidence.number, interval=evidence.interval, limit=limit, status=status,
            sentence=sentence,
        )  # fmt: skip

    def format(self, number: float) -> str:
        """Format a number of this check for a sentence."""
        return f"{100 * number:.1f} %" if self.in_percent else f"{number:.4g}"

    def _interval(self, evidence: Evidence) -> str:
        if evidence.interval is None:
            return ""
        low, high = map(self.format, evidence.interval)
        return f" (95 % interval {low} to {high})"
