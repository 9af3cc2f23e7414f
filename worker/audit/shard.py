"""Audits a shard: reads its images and audits them batch by batch under all runs of its cohort."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from service.domain.job import Image, ImageSet, Job
from service.domain.maps import MAX_MEAN_CLASSES
from service.domain.work import ACROSS_RUNS, Shard, ShardResult, Values
from service.errors import ModelRefused
from service.spec.model import JobSpec, Json
from worker.audit.audit import Audit, Missing, Scores
from worker.audit.cache import FindRows, ResultCache
from worker.audit.cache_keys import CacheKeys
from worker.audit.image_decoder import ImageDecoder
from worker.audit.map_sums import ClassSums, MapSums
from worker.audit.partner_maps import PartnerMaps
from worker.audit.reader import FindPrevious, PageReader, ReadImage, make_batch, read_ahead
from worker.context import WorkerContext
from worker.inputs.image_bytes import image_opener
from worker.measures.columns import Columns
from worker.models.cache import LoadedModel, naming_run
from worker.runtime.batch_size import is_out_of_memory
from worker.runtime.devices import device_name
from worker.runtime.lease import Lease


@dataclass(frozen=True)
class ShardInputs:
    """A shard's images, and functions that find the images before the shard and the cached rows of cache keys."""

    images: Sequence[Image]
    find_previous: FindPrevious
    find_rows: FindRows


def audit_shard(job: Job, shard: Shard, inputs: ShardInputs, context: "WorkerContext", lease: Lease) -> ShardResult:
    """Return the numbers of a shard's images. Numbers that are cached are not computed again.

    Raises ModelRefused if a model file has changed since the job was planned, and LeaseLost if another worker has the
    shard.
    """
    image_set, totals = job.image_set_of(shard.start), MapSums()
    classes = ClassSums(shard.cohort, _classes_with_means(job, shard.cohort))
    work = _ShardAudit(job, image_set, shard.cohort, context, lease, inputs.find_rows if job.spec.reuse else None)
    preprocessing = work.spec.cohorts[shard.cohort].model.preprocessing
    checked: list[Image] = []
    values: list[Values] = []
    reused = 0
    decoder = ImageDecoder(image_opener(context.inputs), preprocessing, shard.last_try)
    reader = PageReader(decoder, shard.start, work.cache, inputs.find_previous)

    def page_size() -> int:
        return context.batch_size.images(work.spec.passes(), preprocessing.size)

    for page in read_ahead(inputs.images, page_size, reader):
        checked += page.checked
        for image, known in page.cached:
            values += known.values(shard.cohort, image)
        reused += sum(map(work.cache.saved_passes, page.all_known)) + work.cache.runs * page.partners_elsewhere
        for part in work.score(page.to_score):
            values += part.values
            if job.spec.out_of_set:
                totals.add(part.maps)
            if image_set.field == "images":
                classes.add([each.image.label for each in part.read], part.maps)
        lease.check()
    reused -= work.partners.computed
    sums = totals.rows(shard.cohort, image_set.field == "out_of_set")
    return ShardResult(checked, values, lease.passes, device_name(context.models.device), sums, reused, classes.rows())


def _classes_with_means(job: Job, cohort: int) -> Collection[str]:
    """Return the labels whose mean maps are stored; none if there are more than MAX_MEAN_CLASSES."""
    assert job.plan is not None, "a shard is audited only after its job is planned"
    labels: Json = job.plan["cohorts"][cohort]["classes"]
    return labels if len(labels) <= MAX_MEAN_CLASSES else ()


@dataclass(frozen=True)
class _Scored:
    """The numbers of some images, and their maps (N, H, W) under each run."""

    values: Sequence[Values]
    maps: Sequence[Tensor]
    read: Sequence[ReadImage]


@dataclass(frozen=True)
class _Batch:
    """Some images whose numbers are complete except for `chance`, and the audit that computed them."""

    audit: Audit
    read: Sequence[ReadImage]
    wanted: Missing
    scores: Scores


@dataclass(frozen=True)
class _ShardAudit:
    job: Job
    image_set: ImageSet
    cohort: int
    context: WorkerContext
    lease: Lease
    find: FindRows | None

    @cached_property
    def spec(self) -> JobSpec:
        """The spec that applies to this image set."""
        return self.job.spec if self.image_set.field == "images" else self.job.spec.for_out_of_set()

    @cached_property
    def cache(self) -> ResultCache:
        """The cache of the cohort's numbers."""
        models, columns = self.context.models, (tuple(self.image_set.run), tuple(self.image_set.across[self.cohort]))
        keys = CacheKeys(
            self.spec, self.cohort, self._facts, models.chunk(self.spec), device_name(models.device), columns
        )
        return ResultCache(self.spec, len(self._facts["runs"]), keys, self.find)

    @cached_property
    def partners(self) -> PartnerMaps:
        """The stored clean maps of images that may be the partners of later images."""
        return PartnerMaps(self._facts["classes"])

    def score(self, read: Sequence[ReadImage]) -> list[_Scored]:
        """Return the numbers of a page. Images that lack the same numbers are scored together."""
        by_missing: dict[Missing, list[ReadImage]] = {}
        for each in read:
            by_missing.setdefault(self.cache.missing(each.known), []).append(each)
        batches = [part for wanted, some in by_missing.items() for part in self._score_within_memory(some, wanted)]
        scored = [self._with_chance(each) for each in batches]
        if read:
            self.partners.delete_except(read[-1].image.number)  # only this image can be a partner in the next page
        return scored

    def _score_within_memory(self, read: Sequence[ReadImage], wanted: Missing) -> list[_Batch]:
        """Score images without `chance`. If memory runs out, score half of them at a time."""
        try:
            return [self._score(read, wanted)]
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            smaller = self.context.batch_size.halve(len(read)) or self.context.models.halve_chunks()
            if not smaller:
                raise
        torch.cuda.empty_cache()
        half = -(-len(read) // 2)
        return [part for some in (read[:half], read[half:]) if some for part in self._score_within_memory(some, wanted)]

    def _score(self, read: Sequence[ReadImage], wanted: Missing) -> _Batch:
        loaded = load_planned(self.job, self.cohort, self.spec, self.context)
        classifiers, randomised = ([getattr(each, name) for each in loaded] for name in ("classifier", "randomised"))
        audit = Audit(self.spec, self.cohort, classifiers, self.lease.count, randomised)
        scores = audit.score(make_batch(read, self._facts["classes"], self.context.models.device), wanted)
        self.partners.add(audit, read, scores)
        return _Batch(audit, read, wanted, scores)

    def _with_chance(self, batch: _Batch) -> _Scored:
        audit, read = batch.audit, batch.read
        scores = self.partners.with_chance(audit, read, batch.scores, batch.wanted)
        keys = replace(self.cache.keys, chunk=audit.classifiers[0].chunk)  # the chunk shrinks if memory runs out
        values = [
            Values(self.cohort, run, each.image.number, row, keys.for_row(run, each.facts))
            for run, columns in [*scores.runs.items(), (ACROSS_RUNS, scores.across)]
            if columns
            for each, row in zip(read, self._pack(run, columns), strict=True)
        ]
        known = [row for each in read for row in each.known.values(self.cohort, each.image)]
        return _Scored([*values, *known], [each.maps for each in scores.clean.values()], read)

    def _pack(self, run: int, columns: Columns) -> list[bytes]:
        """Return one row per image, as little-endian float64 in the planned order.

        A planned column is NaN in all rows if it has the probability of a class that only models of other cohorts have.
        """
        names = self.image_set.across[self.cohort] if run == ACROSS_RUNS else self.image_set.run
        missing = torch.full((len(next(iter(columns.values()))),), torch.nan)
        found = [columns.get(name, missing).double().cpu() for name in names]
        return [np.ascontiguousarray(row).astype("<f8").tobytes() for row in torch.stack(found, dim=1).numpy()]

    @property
    def _facts(self) -> Json:
        assert self.job.plan is not None, "a shard is audited only after its job is planned"
        facts: Json = self.job.plan["cohorts"][self.cohort]
        return facts


def load_planned(job: Job, cohort: int, spec: JobSpec, context: WorkerContext) -> list[LoadedModel]:
    """Load a cohort's models for a spec. Raises ModelRefused if a file has changed since the job was planned."""
    assert job.plan is not None, "models are loaded only after the job is planned"
    loaded, model = [], job.spec.cohorts[cohort].model
    for index, run in enumerate(job.plan["cohorts"][cohort]["runs"]):
        with naming_run(cohort, index), context.inputs.model(run["path"]) as path:
            found = context.models.load(path, model.with_activation(run.get("activation", model.activation)), spec)
            if found.sha256 != run["sha256"]:
                raise ModelRefused(reason=f"{path} has changed since the job was planned; submit the job again")
        loaded.append(found)
    return loaded
