"""Looking at a job's numbers while it runs: how sure they are by now, and what its gate would say of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from service.domain import ImageSet, Job, Json
from service.gate import Outcome, Rule, judge, numbers_of
from service.storage import Store
from service.verdicts import Ruling
from worker.finishing import cohort_values
from worker.gathering import Table, gathered
from worker.summary.look import Look
from worker.summary.sequences import ALPHA, Claim
from worker.summary.so_far import so_far

DECIDED = (Outcome.PASS, Outcome.FAIL)


@dataclass(frozen=True)
class Seen:
    """What a look tells whoever watches, and whether the job's gate is decided by it."""

    so_far: Json
    decided: bool


def look(job: Job, images: int, store: Store, check: Callable[[], None], ruling: Ruling) -> Seen:
    """The numbers of a job's first images, or of all that are measured where `images` is 0.

    The intervals of a gate's rules hold all at once, whenever one looks, with 95 %; those of a job that does not stop
    by its gate hold each, at a moment that was not chosen by them.
    """
    whole = job.image_sets[0]
    among = replace(whole, stop=images) if images else whole
    rules = ruling.rules if job.spec.stop else ()
    with gathered(job, among, store, check) as table:
        cohorts = [cohort_values(job, number, among, table, check) for number in range(len(job.spec.cohorts))]
        asked = [rule.path for rule in rules if rule.versus is not None]
        tree = so_far(cohorts, _how_to_look(job, whole, table, rules), asked)
        read = {"provenance": {"images": {"read": len(table.labels)}}}
        verdict = judge(rules, numbers_of({**tree, **read}), ruling.policy) if rules else None
        told = {"images": len(table.labels), "of": whole.stop, **_headlines(tree)}
    decided = verdict is not None and all(each.outcome in DECIDED for each in verdict.rules)
    return Seen(
        {**told, "verdict": verdict.model_dump(mode="json") if verdict else None},
        decided and not _too_many_skipped(job, among, store),
    )


def _how_to_look(job: Job, whole: ImageSet, table: Table, rules: Sequence[Rule]) -> Look:
    assert job.plan is not None, "a job is looked at once it is planned"
    if job.spec.stop:
        return Look(Claim(ALPHA / max(1, len(rules)), whole.stop))
    size = job.plan["shard_size"]
    return Look(Claim(ALPHA, -(-whole.stop // size)), table.numbers // size)


def _too_many_skipped(job: Job, among: ImageSet, store: Store) -> bool:
    """Whether a larger share of some images is unreadable than the job allows; then more images must tell."""
    skipped = sum(image.number < among.stop for image in store.images.skipped(job.id))
    return skipped > job.spec.images.max_skipped * (among.stop - among.start)


def _headlines(tree: Mapping[str, Any]) -> Json:
    """Every measure's own number, of each cohort and between them."""
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
    return {key: leaf[key] for key in ("mean", "ci95", "n")}
