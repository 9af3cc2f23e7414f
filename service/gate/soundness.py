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


IMAGE_WARNING = 0.85
PREDICTIONS_WARNING = 0.95


def _low(evidence: Evidence) -> float:
    return evidence.interval[0] if evidence.interval else -1.0


def _high(evidence: Evidence) -> float:
    return evidence.interval[1] if evidence.interval else 1.0


def _number(evidence: Evidence) -> float:
    assert evidence.number is not None, "a check without a number is not judged"
    return evidence.number


ENTRIES = (
    Check(
        name="degenerate",
        catches="dead maps",
        limit=0.05,
        rule="fails if the lower end of the interval is above the limit; warns if the upper end is",
        subject="{number} of the maps show no salience{interval}",
        ok="the limit is {limit}",
        warning="more than {limit} may be empty",
        failed="with more than {limit} empty maps, similarities describe too few images",
        missing="The share of empty maps is not known",
        warns=lambda found, limit: _high(found) > limit,
        fails=lambda found, limit: _low(found) > limit,
        in_percent=True,
    ),
    Check(
        name="image",
        catches="maps that never change; painted patterns",
        limit=0.95,
        rule=f"fails if the lower end of the interval is above the limit; warns if the mean is above {IMAGE_WARNING}",
        subject="Maps of unrelated images have a mean similarity of {number}{interval}",
        ok="the maps depend on the image",
        warning="the maps depend little on the image",
        failed="above {limit} the maps are the same for every image",
        missing="The similarity of the maps of unrelated images is not known",
        warns=lambda found, limit: _number(found) > min(IMAGE_WARNING, limit),
        fails=lambda found, limit: _low(found) > limit,
    ),
    Check(
        name="class",
        catches="maps that ignore the class",
        limit=0.95,
        rule="warns if the mean is above the limit",
        subject="Maps of the target and of the strongest other class have a mean similarity of {number}{interval}",
        ok="the maps depend on the class",
        warning="above {limit} the maps ignore the class",
        missing="The similarity of the maps of two classes is not known",
        warns=lambda found, limit: _number(found) > limit,
    ),
    Check(
        name="difference",
        catches="channels that cancel in the softmax",
        limit=0.3,
        rule="warns if the mean is below the limit",
        subject="Maps of the target's logit and of its lead over the other logits have a mean similarity of "
        "{number}{interval}",
        ok="the maps show what tells the classes apart",
        warning="below {limit} the maps show evidence that raises all logits alike and decides nothing",
        missing="The similarity of the maps of the logit and of its lead is not known",
        warns=lambda found, limit: _number(found) < limit,
    ),
    Check(
        name="predictions",
        catches="constant predictors; wrong outputs or preprocessing",
        limit=0.99,
        rule=f"fails if the share is above the limit; warns if it is above {PREDICTIONS_WARNING}",
        subject="{number} of the predictions are the same class",
        ok="the limit is {limit}",
        warning="the model hardly tells images apart",
        failed="above {limit} the model gives every image the same class",
        missing="The images do not have labels of two classes",
        warns=lambda found, limit: _number(found) > min(PREDICTIONS_WARNING, limit),
        fails=lambda found, limit: _number(found) > limit,
        in_percent=True,
    ),
    Check(
        name="accuracy",
        catches="untrained and mislabelled models",
        limit=None,
        rule="the limit is the share of the most frequent label; fails if the upper end of the interval is below the "
        "limit; warns if the lower end is not above the limit, which is a failure if no rule of the gate demands more "
        "than chance",
        subject="The accuracy is {number}{interval}",
        ok="chance is {limit}",
        warning="it is not clearly above chance, {limit}",
        failed="it is below chance, {limit}",
        missing="The images have no labels",
        warns=lambda found, limit: _low(found) <= limit,
        fails=lambda found, limit: _high(found) < limit,
        in_percent=True,
    ),
    Check(
        name="deterministic",
        catches="dropout left on",
        limit=0.99999,
        rule="warns if the similarity is below the limit",
        subject="Two maps of one image have a similarity of {number}",
        ok="the model is deterministic",
        warning="a random layer of the model, such as dropout, is on",
        missing="The similarity of two maps of one image is not known",
        warns=lambda found, limit: _number(found) < limit,
    ),
    Check(
        name="weights",
        catches="methods that ignore the model",
        limit=0.95,
        rule="warns if the mean is above the limit",
        subject="Maps under a head with new random weights have a mean similarity of {number}{interval} to those of "
        "the model",
        ok="the maps depend on the head's weights",
        warning="above {limit} the maps ignore the head's weights",
        missing="The spec does not request the check",
        warns=lambda found, limit: _number(found) > limit,
    ),
)  # fmt: skip

CHECKS: Mapping[CheckName, Check] = {each.name: each for each in ENTRIES}


def judge_all(found: Mapping[str, Evidence]) -> list[CheckResult]:
    """Return the results of all checks, in the order of CHECKS, from the evidence for each check by name."""
    return [check.judge(found.get(name, Evidence())) for name, check in CHECKS.items()]
