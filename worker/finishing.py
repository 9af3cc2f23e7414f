"""Summing a job up: all its numbers become the results that are served, whatever order they came in."""

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from service.domain import ImageSet, Job
from service.errors import ImagesRefused
from service.spec import JobSpec
from service.storage import Store
from worker.gathering import Table, gathered
from worker.map_totals import mean_map
from worker.provenance import ReadSet, provenance
from worker.scoring import ORDERS, first_keys, guided_keys, randomised_keys
from worker.summary.bootstrap import Draws
from worker.summary.cohort import CohortValues
from worker.summary.out_of_set import TwoSets, compare_sets
from worker.summary.results import summarise


def finish(job: Job, store: Store, check: Callable[[], None]) -> str:
    """The results of a measured job, as JSON text. Raises ImagesRefused where no picture could be read.

    `check` is called now and then, and may raise.
    """
    assert job.plan is not None, "a job is summed up once it is planned"
    with ExitStack() as stack:
        tables = [_gather(stack, job, among, store, check) for among in job.image_sets]
        sets = [
            [_cohort(job, number, among, table, check) for number in range(len(job.spec.cohorts))]
            for among, table in zip(job.image_sets, tables, strict=True)
        ]
        document = {"job": job.id, **summarise(sets[0])}
        document["degenerate"] = {each.name: _degenerate(each) for each in sets[0]}
        for number, (inside, *outside) in enumerate(zip(*sets, strict=True)):
            for each in outside:
                document["cohorts"][each.name]["out_of_set"] = _compare(job, store, number, inside, each)
    _name_runs(document, job)
    skipped = store.images.skipped(job.id)
    document["skipped"] = [
        {"image": each.name, "set": job.set_of(each.number).field, "reason": each.skipped} for each in skipped
    ]
    found = zip(job.image_sets, tables, strict=True)
    read = [ReadSet(among, table.digest, len(table.labels)) for among, table in found]
    document["provenance"] = provenance(job, read, store.shards.devices(job.id))
    return json.dumps(document, allow_nan=False)


def _gather(stack: ExitStack, job: Job, among: ImageSet, store: Store, check: Callable[[], None]) -> Table:
    table = stack.enter_context(gathered(job, among, store, check))
    if not table.labels:
        field, limit = f"{among.field}.uri", f"{among.field}.max_skipped"
        raise ImagesRefused(field=field, reason=f"none of the images could be read; see {limit}")
    return table


def _cohort(job: Job, number: int, among: ImageSet, table: Table, check: Callable[[], None]) -> CohortValues:
    return CohortValues(
        name=job.spec.cohorts[number].name,
        run_columns=among.run,
        runs=table.runs[number],
        across_columns=among.across[number],
        across=table.across[number],
        labels=table.labels,
        parts=_parts(job.spec),
        draws=Draws(job.spec.seed, str(number), among.field),
        check=check,
    )


def _compare(job: Job, store: Store, number: int, inside: CohortValues, outside: CohortValues) -> dict[str, Any]:
    """A cohort in set and out of set."""
    size = job.spec.cohorts[number].model.preprocessing.size
    means = [
        np.stack([mean_map(total, size) for total in store.map_sums.of(job.id, number, out_of_set)])
        for out_of_set in (False, True)
    ]
    return compare_sets(TwoSets(inside, outside, (means[0], means[1])))


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
