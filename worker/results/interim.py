"""Interim looks at a running job: the numbers of the images audited so far, and the gate's verdict on them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from service.domain.job import ImageSet, Job
from service.gate import Outcome, Rule, judge
from service.jobs.verdicts import ResolvedGate
from service.spec.model import Json
from service.storage import Store
from worker.results.build import cohort_values
from worker.results.columns import ColumnTable, load_columns
from worker.results.soundness import check_cohorts
from worker.statistics.confidence_sequence import ALPHA, Confidence
from worker.statistics.interim_estimate import InterimEstimate
from worker.statistics.results import interim_results
from worker.statistics.tree import CHANCE_STATISTICS

DECIDED = (Outcome.PASS, Outcome.FAIL)


@dataclass(frozen=True)
class InterimLook:
    """The numbers that clients see at an interim look, and whether they decide the job's gate."""

    so_far: Json
    decided: bool


def look(job: Job, images: int, store: Store, check: Callable[[], None], ruling: ResolvedGate) -> InterimLook:
    """Return the numbers of a job's first images, or of all measured images if `images` is 0.

    In a job that may stop early, the probability that all intervals of its rules are correct at all looks is 95 %. In
    other jobs, it is 95 % for a single interval at a look whose time does not depend on the numbers.
    """
    whole = job.image_sets[0]
    image_set = replace(whole, stop=images) if images else whole
    rules = ruling.rules if job.spec.stop else ()
    with load_columns(job, image_set, store, check) as table:
        cohorts = [cohort_values(job, number, image_set, table, check) for number in range(len(job.spec.cohorts))]
        compared_paths = [rule.path for rule in rules if rule.versus is not None]
        tree = interim_results(cohorts, _interim_estimate(job, whole, table, rules), compared_paths)
        soundness = check_cohorts(job, cohorts)
        read = {"soundness": soundness, "provenance": {"images": {"read": len(table.labels)}}}
        verdict = judge({**tree, **read}, rules, ruling.limits, ruling.policy, is_final=False) if rules else None
        message = {
            "images": len(table.labels),
            "of": whole.stop,
            "soundness": _of_cohorts(soundness),
            **_headlines(tree),
        }
    decided = verdict is not None and all(each.outcome in DECIDED for each in verdict.rules)
    return InterimLook(
        {**message, "verdict": verdict.model_dump(mode="json") if verdict else None},
        decided and not _too_many_skipped(job, image_set, store),
    )


def _interim_estimate(job: Job, whole: ImageSet, table: ColumnTable, rules: Sequence[Rule]) -> InterimEstimate:
    assert job.plan is not None, "interim looks need a planned job"
    if job.spec.stop:
        return InterimEstimate(Confidence(ALPHA / max(1, len(rules)), whole.stop))
    size = job.plan["shard_size"]
    return InterimEstimate(Confidence(ALPHA, -(-whole.stop // size)), table.numbers // size)


def _too_many_skipped(job: Job, image_set: ImageSet, store: Store) -> bool:
    """Return whether a larger share of images is unreadable than the job allows, so that it cannot stop yet."""
    skipped = sum(image.number < image_set.stop for image in store.images.skipped(job.id))
    return skipped > job.spec.images.max_skipped * (image_set.stop - image_set.start)


def _of_cohorts(soundness: Json) -> Json:
    """Return the soundness checks of each cohort without those of its runs."""
    return {name: each["checks"] for name, each in soundness.items()}


def _headlines(tree: Mapping[str, Any]) -> Json:
    """Return the headline of every measure, of each cohort and of each pair of cohorts."""
    return {
        "cohorts": {
            name: {
                "accuracy": cohort["accuracy"],
                "accuracy_ci95": cohort["accuracy_ci95"],
                "degenerate": cohort["degenerate"],
                "measures": {measure: _number(each) for measure, each in cohort["measures"].items()},
            }
            for name, cohort in tree["cohorts"].items()
        },
        "differences": [
            {key: each[key] for key in ("a", "b", "measure")} | _number(each)
            for each in tree["differences"]
            if ".parts." not in each["measure"]
        ],
    }


def _number(leaf: Mapping[str, Any]) -> Json:
    return {key: leaf[key] for key in ("mean", "ci95", "n", *CHANCE_STATISTICS) if key in leaf}
