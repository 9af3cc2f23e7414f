"""Summing a job up: all its numbers become the results that are served, whatever order they came in."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from service.domain import ACROSS_RUNS, Image, Job, Json
from service.errors import ImagesRefused
from service.spec import JobSpec
from service.storage import Store
from service.storage.images import Measured
from worker.provenance import provenance
from worker.scoring import ORDERS, first_keys, guided_keys, randomised_keys
from worker.summary.bootstrap import Array
from worker.summary.cohort import CohortValues
from worker.summary.results import summarise


def finish(job: Job, store: Store) -> str:
    """The results of a measured job, as JSON text. Raises ImagesRefused where no picture could be read."""
    assert job.plan is not None, "a job is summed up once it is planned"
    table = _gather(job, store)
    if not table.images:
        raise ImagesRefused(field="images.uri", reason="none of the images could be read; see images.max_skipped")
    cohorts = [_cohort(job.spec, job.plan, number, table) for number in range(len(job.spec.cohorts))]
    document = {"job": job.id, **summarise(cohorts)}
    _name_runs(document, job)
    skipped = store.images.skipped(job.id)
    document["skipped"] = [{"image": each.name, "reason": each.skipped} for each in skipped]
    document["degenerate"] = {each.name: _degenerate(each) for each in cohorts}
    document["provenance"] = provenance(job, table.images, len(skipped), store.shards.devices(job.id))
    return json.dumps(document, allow_nan=False)


@dataclass(frozen=True)
class _Table:
    """The pictures read, and each one's rows by cohort and run; sorted by content, so that no order matters."""

    images: Sequence[Image]
    rows: Sequence[dict[tuple[int, int], bytes]]


def _gather(job: Job, store: Store) -> _Table:
    def key(measured: Measured) -> tuple[str, str]:
        return (measured.image.sha256 or "", measured.image.name)

    found = sorted((each for each in store.images.every(job.id, job.images_total or 0) if each.values), key=key)
    rows = [{(v.cohort, v.run): v.data for v in each.values} for each in found]
    return _Table([each.image for each in found], rows)


def _cohort(spec: JobSpec, plan: Json, number: int, table: _Table) -> CohortValues:
    cohort, columns = spec.cohorts[number], plan["columns"]
    runs = np.stack([_column(table, number, run) for run in range(len(cohort.runs))], axis=1)
    across = columns["across"][number]
    return CohortValues(
        name=cohort.name,
        run_columns=columns["run"],
        runs=runs,
        across_columns=across,
        across=_column(table, number, ACROSS_RUNS) if across else np.empty((len(table.images), 0)),
        labels=[image.label for image in table.images],
        parts=_parts(spec),
        seed=spec.seed,
        stream=str(number),
    )


def _column(table: _Table, cohort: int, run: int) -> Array:
    """The rows of one run, (n, C)."""
    return np.stack([np.frombuffer(rows[cohort, run], dtype="<f8") for rows in table.rows])


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
