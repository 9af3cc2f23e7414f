"""Summing a job up: all its numbers become the results that are served, whatever order they came in."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from service.domain import FORMAT, ImageSet, Job, Json
from service.errors import ImagesMissing, ImagesRefused
from service.gate import Rule
from service.redaction import named_only
from service.spec import JobSpec
from service.storage import Store
from worker.gathering import Table, gathered
from worker.map_totals import mean_map
from worker.provenance import ReadSet, provenance
from worker.sample import sample_of
from worker.scoring import ORDERS, first_keys, guided_keys, randomised_keys
from worker.spreading import add_spread
from worker.standing import earlier, standing
from worker.summary.bootstrap import Draws
from worker.summary.cohort import CohortValues
from worker.summary.degenerate import degenerate_share
from worker.summary.look import Look
from worker.summary.out_of_set import TwoSets, compare_sets
from worker.summary.results import summarise
from worker.summary.sequences import ALPHA, Claim
from worker.summary.so_far import so_far, with_intervals


def finish(job: Job, store: Store, check: Callable[[], None], rules: Sequence[Rule] = ()) -> Json:
    """The results of a measured job, with what the rules ask for beyond the rest.

    Raises ImagesMissing where a picture is not accounted for, ImagesRefused where none could be read.

    `check` is called now and then, and may raise.
    """
    assert job.plan is not None, "a job is summed up once it is planned"
    with ExitStack() as stack:
        tables = [_gather(stack, job, among, store, check) for among in job.image_sets]
        sets = [
            [cohort_values(job, number, among, table, check) for number in range(len(job.spec.cohorts))]
            for among, table in zip(job.image_sets, tables, strict=True)
        ]
        made = provenance(job, _read_sets(job, tables), store.shards.devices(job.id))
        own = store.of(job.tenant)  # its baseline is of its own tenant, too
        baseline, told = _baseline(stack, job, own, made, check) if job.spec.baseline else (None, None)
        asked = [rule.path for rule in rules if rule.versus is not None]
        document: Json = {"job": job.id, "format": FORMAT, **summarise(sets[0], baseline, asked), "baseline": told}
        add_spread(document, sets[0], rules)
        if job.spec.stop:  # whoever stops by what is seen needs intervals that allow it
            document = with_intervals(document, so_far(sets[0], Look(Claim(ALPHA, job.images_total or 0)), asked))
        document["sample"] = sample_of(job, store, tables[0], sets[0])
        for number, (inside, *outside) in enumerate(zip(*sets, strict=True)):
            for each in outside:
                document["cohorts"][each.name]["out_of_set"] = _compare(job, store, number, inside, each)
    _name_runs(document, job)
    skipped = store.images.skipped(job.id)
    document["skipped"] = [
        {"image": each.name, "set": job.set_of(each.number).field, "reason": each.skipped} for each in skipped
    ]
    document["provenance"] = made
    return document


def _read_sets(job: Job, tables: Sequence[Table]) -> list[ReadSet]:
    found = zip(job.image_sets, tables, strict=True)
    return [ReadSet(among, table.digest, len(table.labels)) for among, table in found]


def _baseline(
    stack: ExitStack, job: Job, store: Store, made: Json, check: Callable[[], None]
) -> tuple[CohortValues | None, Json]:
    """The cohort that stands for the job's baseline, None where it cannot, and what the results tell of it."""
    asked = job.spec.baseline
    assert asked is not None, "asked only of a job with a baseline"
    before, differs = earlier(job, store, made)
    told = {**asked.model_dump(mode="json"), "differs": differs}
    if before is None:
        return None, told
    found, among = stack.enter_context(standing(job, before, store, check)), before.image_sets[0]
    # Its runs are others than any cohort's here, and its pictures are the same.
    draws = Draws(job.spec.seed, str(len(job.spec.cohorts)), job.image_sets[0].field)
    values = CohortValues(
        name=asked.name,
        run_columns=among.run,
        runs=found.table.runs[found.cohort],
        across_columns=among.across[found.cohort],
        across=found.table.across[found.cohort],
        labels=found.table.labels,
        parts=_parts(before.spec),
        draws=draws,
        check=check,
    )
    return values, {**told, "degenerate": degenerate_share(values.column("degenerate"))}


def _gather(stack: ExitStack, job: Job, among: ImageSet, store: Store, check: Callable[[], None]) -> Table:
    table = stack.enter_context(gathered(job, among, store, check))
    _check_complete(job, among, table, store)
    if not table.labels:
        field, limit = f"{among.field}.uri", f"{among.field}.max_skipped"
        raise ImagesRefused(field=field, reason=f"none of the images could be read; see {limit}")
    return table


def _check_complete(job: Job, among: ImageSet, table: Table, store: Store) -> None:
    """Raise ImagesMissing where an image has neither the numbers of every cohort nor a reason why it was skipped."""
    skipped = [image.number for image in store.images.skipped(job.id)]
    missing = np.setdiff1d(np.arange(among.start, among.stop), [*table.numbers, *skipped])
    if missing.size:
        first = int(missing[0])
        name = store.images.names(job.id, [first]).get(first, f"number {first}")
        raise ImagesMissing(missing=missing.size, planned=among.stop - among.start, place=among.field, first=name)


def cohort_values(job: Job, number: int, among: ImageSet, table: Table, check: Callable[[], None]) -> CohortValues:
    """The numbers of the job's cohort of that number."""
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
            {"uri": named_only(run["uri"]), "sha256": run["sha256"], **numbers}
            for run, numbers in zip(facts["runs"], tree["runs"], strict=True)
        ]
