"""Measuring a shard: read its pictures, audit them batch by batch under all runs of its cohort."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from service.domain.job import ACROSS_RUNS, Image, ImageSet, Job, Shard, ShardResult, Values
from service.domain.maps import MAX_MEAN_CLASSES
from service.errors import ModelRefused
from service.spec.model import JobSpec, Json
from worker.audit.audit import Audit, Missing
from worker.audit.cache import FindRows, ResultCache
from worker.audit.cache_keys import CacheKeys
from worker.audit.map_sums import ClassSums, MapSums
from worker.audit.reader import ImageDecoder, ReadImage, make_batch, read_ahead
from worker.context import WorkerContext
from worker.inputs.image_bytes import image_opener
from worker.measures.columns import Columns
from worker.models.cache import LoadedModel, naming_run
from worker.runtime.batch_size import is_out_of_memory
from worker.runtime.devices import device_name
from worker.runtime.lease import Lease


def audit_shard(  # noqa: PLR0913  # all that a shard is made of
    job: Job, shard: Shard, images: Sequence[Image], means: "WorkerContext", lease: Lease, find: FindRows | None = None
) -> ShardResult:
    """The numbers of a shard's pictures, those computed anew that `find` does not know.

    Raises ModelRefused where a file is not what was planned, and LeaseLost.
    """
    image_set, totals = job.image_set_of(shard.start), MapSums()
    classes = ClassSums(shard.cohort, _classes_with_means(job, shard.cohort))
    work = _ShardAudit(job, image_set, shard.cohort, means, lease, find if job.spec.reuse else None)
    preprocessing = work.spec.cohorts[shard.cohort].model.preprocessing
    noted: list[Image] = []
    values: list[Values] = []
    reused = 0
    decode = ImageDecoder(image_opener(means.inputs), preprocessing, work.cache)

    def fitting() -> int:
        return means.batch_size.images(work.spec.passes(), preprocessing.size)

    for page in read_ahead(images, fitting, decode, shard.last_try):
        noted += page.checked
        for image, known in page.cached:
            values += known.values(shard.cohort, image)
        reused += sum(map(work.cache.saved_passes, page.all_known))
        for part in work.score(page.to_score):
            values += part.values
            if job.spec.out_of_set:
                totals.add(part.maps)
            if image_set.field == "images":
                classes.add([each.image.label for each in part.read], part.maps)
        lease.check()
    sums = totals.rows(shard.cohort, image_set.field == "out_of_set")
    return ShardResult(noted, values, lease.passes, device_name(means.models.device), sums, reused, classes.rows())


def _classes_with_means(job: Job, cohort: int) -> Collection[str]:
    """The labels that have a mean map of their own."""
    assert job.plan is not None, "measuring shards exist once a job is planned"
    labels: Json = job.plan["cohorts"][cohort]["classes"]
    return labels if len(labels) <= MAX_MEAN_CLASSES else ()


@dataclass(frozen=True)
class _Scored:
    """The numbers of some pictures, and their maps (N, H, W) under each run."""

    values: Sequence[Values]
    maps: Sequence[Tensor]
    read: Sequence[ReadImage]


@dataclass(frozen=True)
class _ShardAudit:
    job: Job
    among: ImageSet
    cohort: int
    means: WorkerContext
    lease: Lease
    find: FindRows | None

    @cached_property
    def spec(self) -> JobSpec:
        """What is asked of this set's pictures."""
        return self.job.spec if self.among.field == "images" else self.job.spec.for_out_of_set()

    @cached_property
    def cache(self) -> ResultCache:
        """What the cohort's numbers are known by."""
        models, columns = self.means.models, (tuple(self.among.run), tuple(self.among.across[self.cohort]))
        own = CacheKeys(
            self.spec, self.cohort, self._facts, models.chunk(self.spec), device_name(models.device), columns
        )
        return ResultCache(self.spec, len(self._facts["runs"]), own, self.find)

    def score(self, read: Sequence[ReadImage]) -> list[_Scored]:
        """The numbers of a page, pictures that lack the same together."""
        lacking: dict[Missing, list[ReadImage]] = {}
        for each in read:
            lacking.setdefault(self.cache.missing(each.known), []).append(each)
        return [part for wanted, some in lacking.items() for part in self._score_what_fits(some, wanted)]

    def _score_what_fits(self, read: Sequence[ReadImage], wanted: Missing) -> list[_Scored]:
        """The numbers of pictures; where memory runs out, of fewer at a time."""
        try:
            return [self._score(read, wanted)]
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            smaller = self.means.batch_size.halve(len(read)) or self.means.models.halve_chunks()
            if not smaller:
                raise
        torch.cuda.empty_cache()
        half = -(-len(read) // 2)
        return [part for some in (read[:half], read[half:]) if some for part in self._score_what_fits(some, wanted)]

    def _score(self, read: Sequence[ReadImage], wanted: Missing) -> _Scored:
        loaded = load_planned(self.job, self.cohort, self.spec, self.means)
        classifiers, randomised = ([getattr(each, name) for each in loaded] for name in ("classifier", "randomised"))
        audit = Audit(self.spec, self.cohort, classifiers, self.lease.count, randomised)
        scores = audit.score(make_batch(read, self._facts["classes"], self.means.models.device), wanted)
        keys = replace(self.cache.keys, chunk=classifiers[0].chunk)  # where memory ran out, it has become less
        values = [
            Values(self.cohort, run, each.image.number, row, keys.for_row(run, each.facts))
            for run, columns in [*scores.runs.items(), (ACROSS_RUNS, scores.across)]
            if columns
            for each, row in zip(read, _pack(columns), strict=True)
        ]
        known = [row for each in read for row in each.known.values(self.cohort, each.image)]
        return _Scored([*values, *known], scores.maps, read)

    @property
    def _facts(self) -> Json:
        assert self.job.plan is not None, "measuring shards exist once a job is planned"
        facts: Json = self.job.plan["cohorts"][self.cohort]
        return facts


def load_planned(job: Job, cohort: int, spec: JobSpec, means: WorkerContext) -> list[LoadedModel]:
    """A cohort's models, made for a spec's passes. Raises ModelRefused where a file is not what was planned."""
    assert job.plan is not None, "models are loaded once a job is planned"
    loaded, model = [], job.spec.cohorts[cohort].model
    for index, run in enumerate(job.plan["cohorts"][cohort]["runs"]):
        with naming_run(cohort, index), means.inputs.model(run["path"]) as path:
            found = means.models.load(path, model, spec)
            if found.sha256 != run["sha256"]:
                raise ModelRefused(reason=f"{path} has changed since the job was planned; submit it again")
        loaded.append(found)
    return loaded


def _pack(columns: Columns) -> list[bytes]:
    """A row an image, float64 in the columns' order."""
    table = torch.stack([column.double() for column in columns.values()], dim=1).cpu().numpy()
    return [np.ascontiguousarray(row).astype("<f8").tobytes() for row in table]
