"""The soundness checks that the service makes, in the order in which results show them."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from service.gate.soundness import Check, CheckName, CheckResult, Evidence, Status

Result = TypeVar("Result", bound=CheckResult)
IMAGE_WARNING = 0.85
PREDICTIONS_WARNING = 0.95
CONFIRMING = ("image", "class")  # the checks whose warning makes a warning of `difference` a failure


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
        rule="warns if the mean is below the limit; fails if `image` or `class` warns or fails as well",
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
    return judge_together([check.judge(found.get(name, Evidence())) for name, check in CHECKS.items()])


def judge_together(results: Sequence[Result]) -> list[Result]:
    """Return the results of the checks of one cohort or run, where a warning of `difference` fails if it is confirmed.

    `image` or `class` confirm it if they warn or fail: evidence that decides nothing then makes maps alike.
    """
    doubted = [each.name for each in results if each.status in (Status.WARNING, Status.FAILED)]
    confirmed_by = [name for name in CONFIRMING if name in doubted]
    return [_judge_difference(each, confirmed_by) if each.name == "difference" else each for each in results]


def _judge_difference(each: Result, confirmed_by: Sequence[str]) -> Result:
    if each.status is Status.FAILED:  # a gate can switch off the check that confirmed the warning
        alone = CHECKS["difference"].judge(Evidence(each.number, each.interval, each.limit))
        each = each.model_copy(update=alone.model_dump())
    if each.status is not Status.WARNING or not confirmed_by:
        return each
    names = " and ".join(f"`{name}`" for name in confirmed_by)
    verb = "confirms" if len(confirmed_by) == 1 else "confirm"
    sentence = f"{each.sentence[:-1]}; {names} {verb} that it makes maps alike."
    return each.model_copy(update={"status": Status.FAILED, "sentence": sentence})
