"""Builds the results of a job from the stored numbers of its images."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from service.domain.format import FORMAT
from service.domain.job import ImageSet, Job
from service.errors import ImagesMissing, ImagesRefused
from service.gate import Rule
from service.measures import MEASURES
from service.measures.measure import Bounds
from service.measures.tree import columns_compared_out_of_set
from service.spec.model import JobSpec, Json
from service.storage import Store
from service.telemetry.redaction import strip_query_values
from worker.audit.map_sums import mean_map
from worker.audit.provenance import ReadImageSet, provenance
from worker.audit.scoring import requested_scorers
from worker.results.baseline import BaselineCohort, find_baseline, load_baseline
from worker.results.columns import ColumnTable, load_columns
from worker.results.predictions import predictions
from worker.results.sample import choose_sample
from worker.results.soundness import check_cohorts, check_soundness
from worker.results.spreading import add_spread_intervals
from worker.results.warnings import find_warnings
from worker.statistics.bootstrap import Draws
from worker.statistics.cohort import CohortValues
from worker.statistics.early_stop import without_intervals
from worker.statistics.out_of_set import InAndOutOfSet, compare_sets
from worker.statistics.results import summarise, with_sequences


def build_results(job: Job, store: Store, check: Callable[[], None], rules: Sequence[Rule] = ()) -> Json:
    """Return the results of a measured job, with the additional intervals that the gate's rules need.

    Raises ImagesMissing if an image is neither measured nor skipped, and ImagesRefused if no image could be read.
    `check` is called between steps, and may raise.
    """
    assert job.plan is not None, "results need a planned job"
    with ExitStack() as stack:
        tables = [_load_columns(stack, job, image_set, store, check) for image_set in job.image_sets]
        sets = [
            [cohort_values(job, number, image_set, table, check) for number in range(len(job.spec.cohorts))]
            for image_set, table in zip(job.image_sets, tables, strict=True)
        ]
        made = provenance(job, _read_sets(job, tables), store.shards.devices(job.id))
        own = store.for_tenant(job.tenant)  # the baseline must belong to the same tenant
        baseline, message, sound = _baseline(stack, job, own, made, check) if job.spec.baseline else (None, None, {})
        compared_paths = [rule.path for rule in rules if rule.versus is not None]
        document: Json = {
            "job": job.id,
            "format": FORMAT,
            "soundness": {**check_cohorts(job, sets[0]), **sound},
            **summarise(sets[0], baseline, compared_paths),
            "baseline": message,
        }
        add_spread_intervals(document, sets[0], rules)
        if job.spec.stop:  # a job that may stop at any interim look needs intervals that hold at all looks
            document = with_sequences(document, sets[0], job.images_total or 0, compared_paths)
        if job.stopped_at is not None:
            document = without_intervals(document)
        document["sample"] = choose_sample(job, store, tables[0], sets[0])
        for number, (inside, *outside) in enumerate(zip(*sets, strict=True)):
            for each in outside:
                document["cohorts"][each.name]["out_of_set"] = _compare(job, store, number, inside, each)
    _name_runs(document, job)
    return {**document, "skipped": _skipped(job, store), "warnings": find_warnings(job), "provenance": made}


def _skipped(job: Job, store: Store) -> list[Json]:
    """Return the name of each skipped image, its image set and the reason."""
    return [
        {"image": each.name, "set": job.image_set_of(each.number).field, "reason": each.skipped}
        for each in store.images.skipped(job.id)
    ]


def _read_sets(job: Job, tables: Sequence[ColumnTable]) -> list[ReadImageSet]:
    found = zip(job.image_sets, tables, strict=True)
    return [ReadImageSet(image_set, table.digest, len(table.labels)) for image_set, table in found]


def _baseline(
    stack: ExitStack, job: Job, store: Store, made: Json, check: Callable[[], None]
) -> tuple[CohortValues | None, Json, Json]:
    """Return the numbers of the baseline, its entry in the results, and its soundness checks.

    The numbers are None if they are not comparable.
    """
    baseline = job.spec.baseline
    assert baseline is not None, "the caller checks that the job has a baseline"
    before, differs = find_baseline(job, store, made)
    message = {**baseline.model_dump(mode="json"), "differs": differs}
    if before is None:
        return None, message, {}
    found = stack.enter_context(load_baseline(job, before, store, check))
    values = _baseline_values(job, before, found, check)
    assert before.plan is not None, "a job with results is planned"
    return values, message, {values.name: check_soundness(values, before.plan["cohorts"][found.cohort])}


def _baseline_values(job: Job, before: Job, found: BaselineCohort, check: Callable[[], None]) -> CohortValues:
    """Return the numbers of a cohort of the job `before`, as the baseline of `job`."""
    assert job.spec.baseline is not None, "the caller checks that the job has a baseline"
    image_set = before.image_sets[0]
    # The baseline shares the image stream with the job's cohorts, since the images are the same. It has a run stream of
    # its own, since the runs are different.
    draws = Draws(job.spec.seed, str(len(job.spec.cohorts)), job.image_sets[0].field)
    return CohortValues(
        name=job.spec.baseline.name,
        run_columns=image_set.run,
        runs=found.table.runs[found.cohort],
        across_columns=image_set.across[found.cohort],
        across=found.table.across[found.cohort],
        labels=found.table.labels,
        parts=_parts(before.spec, across_runs=False),
        draws=draws,
        check=check,
        across_parts=_parts(before.spec, across_runs=True) if image_set.across[found.cohort] else {},
        bounds=_bounds(before.spec),
        similarities=_similarities(before.spec),
        partners=found.table.partners,
    )


def _load_columns(
    stack: ExitStack, job: Job, image_set: ImageSet, store: Store, check: Callable[[], None]
) -> ColumnTable:
    table = stack.enter_context(load_columns(job, image_set, store, check))
    _check_complete(job, image_set, table, store)
    if not table.labels:
        field, limit = f"{image_set.field}.uri", f"{image_set.field}.max_skipped"
        raise ImagesRefused(field=field, reason=f"none of the images could be read; see {limit}")
    return table


def _check_complete(job: Job, image_set: ImageSet, table: ColumnTable, store: Store) -> None:
    """Raise ImagesMissing if an image was not skipped and lacks the numbers of a cohort."""
    skipped = [image.number for image in store.images.skipped(job.id)]
    missing = np.setdiff1d(np.arange(image_set.start, image_set.stop), [*table.numbers, *skipped])
    if missing.size:
        first = int(missing[0])
        name = store.images.names(job.id, [first]).get(first, f"number {first}")
        raise ImagesMissing(
            missing=missing.size, planned=image_set.stop - image_set.start, place=image_set.field, first=name
        )


def cohort_values(
    job: Job, number: int, image_set: ImageSet, table: ColumnTable, check: Callable[[], None]
) -> CohortValues:
    """Return the numbers of one of the job's cohorts."""
    return CohortValues(
        name=job.spec.cohorts[number].name,
        run_columns=image_set.run,
        runs=table.runs[number],
        across_columns=image_set.across[number],
        across=table.across[number],
        labels=table.labels,
        parts=_parts(job.spec, across_runs=False),
        draws=Draws(job.spec.seed, str(number), image_set.field),
        check=check,
        across_parts=_parts(job.spec, across_runs=True) if image_set.across[number] else {},
        bounds=_bounds(job.spec),
        similarities=_similarities(job.spec),
        partners=table.partners,
        groups=_groups(job.spec, image_set, table),
        predictions=predictions(job, number, image_set, table) if image_set.field == "images" else None,
    )


def _groups(spec: JobSpec, image_set: ImageSet, table: ColumnTable) -> dict[str, Sequence[str | None]]:
    """Return each image's value in every group column, which only the first image set has."""
    columns = spec.images.groups if image_set.field == "images" else []
    return {name: [values[place] for values in table.groups] for place, name in enumerate(columns)}


def _compare(job: Job, store: Store, number: int, inside: CohortValues, outside: CohortValues) -> Mapping[str, Any]:
    """Return the comparison of a cohort in set with the same cohort out of set."""
    size = job.spec.cohorts[number].model.preprocessing.size
    means = [
        np.stack([mean_map(total, size) for total in store.map_sums.of_cohort(job.id, number, out_of_set)])
        for out_of_set in (False, True)
    ]
    options = {name: job.spec.options_of(name) for name in job.spec.measures}
    columns = columns_compared_out_of_set(options)
    return compare_sets(InAndOutOfSet(inside, outside, (means[0], means[1])), columns)


def _parts(spec: JobSpec, *, across_runs: bool) -> dict[str, Sequence[str]]:
    """Return the parts of each per-run measure, or of each measure across runs, in the order of the columns."""
    return {
        name: list(MEASURES[name].parts(spec.options_of(name)))
        for name in requested_scorers(spec)
        if MEASURES[name].across_runs == across_runs
    }


def _bounds(spec: JobSpec) -> dict[str, Bounds]:
    """Return the smallest and the largest value of each column that is not a similarity."""
    found: dict[str, Bounds] = {}
    for measure in spec.requested_measures():
        found |= measure.column_bounds(spec.options_of(measure.name))
    return found


def _similarities(spec: JobSpec) -> list[str]:
    """Return the columns of similarities that results show beside what unrelated images have by chance."""
    found = [measure for measure in spec.requested_measures() if measure.has_chance]
    return [column for measure in found for column in measure.similarities(spec.options_of(measure.name))]


def _name_runs(document: dict[str, Any], job: Job) -> None:
    """Add the facts of its model to each run of the results."""
    for name, facts in job.cohort_facts.items():
        tree = document["cohorts"][name]
        tree["runs"] = [
            {**_model_facts(run), **numbers} for run, numbers in zip(facts["runs"], tree["runs"], strict=True)
        ]


def _model_facts(run: Json) -> Json:
    return {"uri": strip_query_values(run["uri"]), "sha256": run["sha256"], "self_similarity": run["self_similarity"]}
