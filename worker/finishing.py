"""Summing a job up: all its numbers become the results that are served, whatever order they came in."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from service.domain import Job
from service.errors import ImagesRefused
from service.spec import JobSpec
from service.storage import Store
from worker.gathering import Table, gathered
from worker.provenance import ReadSet, provenance
from worker.scoring import ORDERS, first_keys, guided_keys, randomised_keys
from worker.summary.cohort import CohortValues
from worker.summary.results import summarise


def finish(job: Job, store: Store, check: Callable[[], None]) -> str:
    """The results of a measured job, as JSON text. Raises ImagesRefused where no picture could be read.

    `check` is called now and then, and may raise.
    """
    assert job.plan is not None, "a job is summed up once it is planned"
    with gathered(job, store, check) as table:
        if not table.labels:
            raise ImagesRefused(field="images.uri", reason="none of the images could be read; see images.max_skipped")
        cohorts = [_cohort(job, number, table, check) for number in range(len(job.spec.cohorts))]
        document = {"job": job.id, **summarise(cohorts)}
        document["degenerate"] = {each.name: _degenerate(each) for each in cohorts}
    _name_runs(document, job)
    skipped = store.images.skipped(job.id)
    document["skipped"] = [{"image": each.name, "reason": each.skipped} for each in skipped]
    read = ReadSet(table.digest, len(table.labels), len(skipped))
    document["provenance"] = provenance(job, read, store.shards.devices(job.id))
    return json.dumps(document, allow_nan=False)


def _cohort(job: Job, number: int, table: Table, check: Callable[[], None]) -> CohortValues:
    assert job.plan is not None
    columns = job.plan["columns"]
    return CohortValues(
        name=job.spec.cohorts[number].name,
        run_columns=columns["run"],
        runs=table.runs[number],
        across_columns=columns["across"][number],
        across=table.across[number],
        labels=table.labels,
        parts=_parts(job.spec),
        seed=job.spec.seed,
        stream=str(number),
        check=check,
    )


def _parts(spec: JobSpec) -> dict[str, Sequence[str]]:
    """What the results tell of each measure beside its headline."""
    parts: dict[str, Sequence[str]] = {
        "entropy": ["spatial"],
        **first_keys(spec),
        **{measure: [*keys, "gap", *_orders(spec)] for measure, keys in guided_keys(spec).items()},
        **randomised_keys(spec),
        "human": [],
    }
    return {measure: names for measure, names in parts.items() if measure in spec.measures}


def _orders(spec: JobSpec) -> Sequence[str]:
    """The areas under the degradation's curves, where it has curves."""
    return ORDERS if spec.options.degradation.curve else ()


def _name_runs(document: dict[str, Any], job: Job) -> None:
    """Say of each run's numbers which file they are of."""
    assert job.plan is not None
    for cohort, facts in zip(job.spec.cohorts, job.plan["cohorts"], strict=True):
        tree = document["cohorts"][cohort.name]
        tree["runs"] = [
            {"uri": run["uri"], "sha256": run["sha256"], **numbers}
            for run, numbers in zip(facts["runs"], tree["runs"], strict=True)
        ]


def _degenerate(cohort: CohortValues) -> list[int]:
    """How many maps of each run were degenerate."""
    return [int(count) for count in cohort.column("degenerate").sum(0)]
