"""A cohort of an earlier job that stands for one more: its numbers as they are stored, and whether they may.

They may where all that gave them is the same but the models: the pictures, the measures with their options, the
method, the software. What differs is told in words, and the gate's rules about it become errors.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from service.domain import FORMAT, Job, Json
from service.errors import JobNotFound
from service.spec import JobSpec
from service.storage import Store
from worker.gathering import Table, gathered
from worker.keys import is_seeded

OF_ONE_COHORT = "stability"  # a measure of cohorts alone, which one has and another may lack


@dataclass(frozen=True)
class Standing:
    """A stored cohort: its number in its job, and all numbers of the job's pictures."""

    cohort: int
    table: Table


def earlier(job: Job, store: Store, now: Json) -> tuple[Job | None, list[str]]:
    """The baseline's job, and what keeps it from standing for a cohort; `now` is the new results' provenance."""
    asked = job.spec.baseline
    assert asked is not None, "asked only of a job with a baseline"
    try:
        found = store.jobs.get(asked.job)
    except JobNotFound as gone:
        return None, [str(gone).removesuffix(".")]
    document = store.jobs.summary(asked.job)
    if document is None:
        return None, [f"job {asked.job} is {found.state} and has no results"]
    stored = json.loads(document)
    differs = [
        *_unlike("the format of the numbers", stored.get("format", f"before {FORMAT}"), FORMAT),
        *differing(stored["provenance"], now),
    ]
    return (None if differs else found), differs


@contextmanager
def standing(job: Job, baseline: Job, store: Store, check: Callable[[], None]) -> Iterator[Standing]:
    """The numbers of the job's baseline, by picture in the order of the pictures' content."""
    assert job.spec.baseline is not None, "asked only of a job with a baseline"
    names = [cohort.name for cohort in baseline.spec.cohorts]
    number = names.index(job.spec.baseline.cohort or names[0])
    with gathered(baseline, baseline.image_sets[0], store, check) as table:
        yield Standing(number, table)


def differing(then: Json, now: Json) -> Iterator[str]:
    """What differs between two results' provenance that two cohorts of one comparison must share."""
    a, b = (JobSpec.model_validate(each["spec"]) for each in (then, now))
    if then["images"]["sha256"] != now["images"]["sha256"]:
        yield f"the images (sha256 {then['images']['sha256'][:12]} there, {now['images']['sha256'][:12]} here)"
    yield from _unlike("measures", *(sorted(set(spec.measures) - {OF_ONE_COHORT}) for spec in (a, b)))
    for name in type(b.options).model_fields:
        if name in b.measures or name == b.salience.method:
            yield from _unlike(f"options.{name}", getattr(a.options, name), getattr(b.options, name))
    yield from _unlike("salience", a.salience, b.salience)
    if is_seeded(b):
        yield from _unlike("seed", a.seed, b.seed)
    yield from _unlike("precision", then["precision"], now["precision"])
    for name in sorted(then["software"].keys() | now["software"].keys()):
        yield from _unlike(f"software {name}", then["software"].get(name), now["software"].get(name))


def _unlike(what: str, then: Any, now: Any) -> Iterator[str]:
    if then != now:
        yield f"{what} ({_told(then)} there, {_told(now)} here)"


def _told(value: Any) -> str:
    return str(value.model_dump(mode="json")) if hasattr(value, "model_dump") else str(value)
