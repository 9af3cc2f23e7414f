"""Loads a cohort of an earlier job as baseline, and checks that its numbers are comparable.

Numbers are comparable if everything but the models is the same: images, measures with their options, salience method
and software. Otherwise the results list the differences, and the gate's rules about the baseline become errors.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from service.domain.format import FORMAT
from service.domain.job import Job
from service.errors import JobNotFound
from service.spec.model import JobSpec, Json
from service.storage import Store
from worker.audit.cache_keys import is_seeded, measures_of_runs
from worker.results.columns import ColumnTable, load_columns


@dataclass(frozen=True)
class BaselineCohort:
    """A cohort of an earlier job: its position in that job's spec, and the table of the job's stored numbers."""

    cohort: int
    table: ColumnTable


def find_baseline(job: Job, store: Store, now: Json) -> tuple[Job | None, list[str]]:
    """Return the job that has the baseline, or None if it is not comparable, and the list of differences.

    `now` is the provenance of the job that is compared with the baseline.
    """
    baseline = job.spec.baseline
    assert baseline is not None, "the caller checks that the job has a baseline"
    try:
        found = store.jobs.get(baseline.job)
    except JobNotFound as gone:
        return None, [str(gone).removesuffix(".")]
    document = store.jobs.summary(baseline.job)
    if document is None:
        return None, [f"job {baseline.job} is {found.state} and has no results"]
    stored = json.loads(document)
    differs = [
        *_difference("the format of the numbers", stored.get("format", f"before {FORMAT}"), FORMAT),
        *incompatibilities(stored["provenance"], now),
    ]
    return (None if differs else found), differs


@contextmanager
def load_baseline(job: Job, baseline: Job, store: Store, check: Callable[[], None]) -> Iterator[BaselineCohort]:
    """Load the numbers of the job's baseline, sorted by the digests of the images."""
    assert job.spec.baseline is not None, "the caller checks that the job has a baseline"
    names = [cohort.name for cohort in baseline.spec.cohorts]
    number = names.index(job.spec.baseline.cohort or names[0])
    with load_columns(baseline, baseline.image_sets[0], store, check) as table:
        yield BaselineCohort(number, table)


def incompatibilities(then: Json, now: Json) -> Iterator[str]:
    """Yield the differences between two provenances that make their numbers incomparable."""
    a, b = (JobSpec.model_validate(each["spec"]) for each in (then, now))
    if then["images"]["sha256"] != now["images"]["sha256"]:
        was, is_now = (f"sha256 {each['images']['sha256'][:12]}" for each in (then, now))
        yield f"the images (baseline: {was}, this job: {is_now})"
    yield from _difference("measures", *(sorted(measures_of_runs(spec)) for spec in (a, b)))
    for name in type(b.options).model_fields:
        if name in b.measures or name == b.salience.method:
            yield from _difference(f"options.{name}", a.options_of(name), b.options_of(name))
    yield from _difference("salience", a.salience, b.salience)
    if is_seeded(b):
        yield from _difference("seed", a.seed, b.seed)
    yield from _difference("precision", then["precision"], now["precision"])
    for name in sorted(then["software"].keys() | now["software"].keys()):
        yield from _difference(f"software {name}", then["software"].get(name), now["software"].get(name))


def _difference(what: str, then: Any, now: Any) -> Iterator[str]:
    if then != now:
        yield f"{what} (baseline: {_as_text(then)}, this job: {_as_text(now)})"


def _as_text(value: Any) -> str:
    return str(value.model_dump(mode="json")) if hasattr(value, "model_dump") else str(value)
