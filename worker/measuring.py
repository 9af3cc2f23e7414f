"""Measuring a shard: read its pictures, audit them batch by batch under all runs of its cohort."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from service.domain import ACROSS_RUNS, Image, ImageSet, Job, Json, Shard, ShardResult, Values
from service.errors import ModelRefused
from service.kept import MOST_MEAN_CLASSES
from service.spec import JobSpec
from service.storage import Store
from worker.allocator import keep_freed_memory
from worker.audit import Audit, Wanted
from worker.batching import BatchSize, is_out_of_memory
from worker.devices import name_of, share_cores
from worker.fetching.opening import opener
from worker.fetching.places import Places
from worker.keys import Keys
from worker.lease import Lease
from worker.map_totals import ClassTotals, MapTotals
from worker.models import LoadedModel, Models, blaming_run
from worker.reading import Decoding, Read, batch_of, read_ahead
from worker.reuse import Find, Memory
from worker.scoring import Columns
from worker.trying import STANDARD, Limits, trial_of


def measure(  # noqa: PLR0913  # all that a shard is made of
    job: Job, shard: Shard, images: Sequence[Image], means: "Means", lease: Lease, find: Find | None = None
) -> ShardResult:
    """The numbers of a shard's pictures, those computed anew that `find` does not know.

    Raises ModelRefused where a file is not what was planned, and WorkStopped.
    """
    among, totals = job.set_of(shard.start), MapTotals()
    classes = ClassTotals(shard.cohort, _few(job, shard.cohort))
    work = _Work(job, among, shard.cohort, means, lease, find if job.spec.reuse else None)
    preprocessing = work.spec.cohorts[shard.cohort].model.preprocessing
    noted: list[Image] = []
    values: list[Values] = []
    reused = 0
    decode = Decoding(opener(means.places), preprocessing, work.memory)

    def fitting() -> int:
        return means.batch.pictures(work.spec.passes(), preprocessing.size)

    for page in read_ahead(images, fitting, decode, shard.last_try):
        noted += page.noted
        for image, known in page.known:
            values += known.values(shard.cohort, image)
        reused += sum(map(work.memory.spared, page.all_known))
        for part in work.score(page.read):
            values += part.values
            if job.spec.out_of_set:
                totals.add(part.maps)
            if among.field == "images":
                classes.add([each.image.label for each in part.read], part.maps)
        lease.check()
    sums = totals.rows(shard.cohort, among.field == "out_of_set")
    return ShardResult(noted, values, lease.passes, name_of(means.models.device), sums, reused, classes.rows())


def _few(job: Job, cohort: int) -> Collection[str]:
    """The labels that have a mean map of their own."""
    assert job.plan is not None, "measuring shards exist once a job is planned"
    labels: Json = job.plan["cohorts"][cohort]["classes"]
    return labels if len(labels) <= MOST_MEAN_CLASSES else ()


@dataclass(frozen=True)
class Means:
    """What a worker has to measure with."""

    models: Models
    batch: BatchSize
    places: Places

    @classmethod
    def on(
        cls,
        device: torch.device,
        places: Places,
        pictures: int | None = None,
        limits: Limits = STANDARD,
        processes: int = 1,
    ) -> "Means":
        """A device, where things are, how many pictures to score together (None: what fits), what loading may take.

        `processes`, this one among them, share the machine.
        """
        keep_freed_memory()
        share_cores(device, processes)
        models = Models(device, trial=trial_of(limits))
        return cls(models, BatchSize(device, pictures, processes), places)

    def of_job(self, job: Job, store: Store) -> "Means":
        """The means for a job, whose URIs mean one thing throughout, and whose artifacts are its tenant's."""
        return replace(self, places=self.places.of_work(job.id, store.of(job.tenant).owners))


@dataclass(frozen=True)
class _Part:
    """The numbers of some pictures, and their maps (N, H, W) under each run."""

    values: Sequence[Values]
    maps: Sequence[Tensor]
    read: Sequence[Read]


@dataclass(frozen=True)
class _Work:
    job: Job
    among: ImageSet
    cohort: int
    means: Means
    lease: Lease
    find: Find | None

    @cached_property
    def spec(self) -> JobSpec:
        """What is asked of this set's pictures."""
        return self.job.spec if self.among.field == "images" else self.job.spec.outside()

    @cached_property
    def memory(self) -> Memory:
        """What the cohort's numbers are known by."""
        models, columns = self.means.models, (tuple(self.among.run), tuple(self.among.across[self.cohort]))
        own = Keys(self.spec, self.cohort, self._facts, models.chunk(self.spec), name_of(models.device), columns)
        return Memory(self.spec, len(self._facts["runs"]), own, self.find)

    def score(self, read: Sequence[Read]) -> list[_Part]:
        """The numbers of a page, pictures that lack the same together."""
        lacking: dict[Wanted, list[Read]] = {}
        for each in read:
            lacking.setdefault(self.memory.wanted(each.known), []).append(each)
        return [part for wanted, some in lacking.items() for part in self._score_what_fits(some, wanted)]

    def _score_what_fits(self, read: Sequence[Read], wanted: Wanted) -> list[_Part]:
        """The numbers of pictures; where memory runs out, of fewer at a time."""
        try:
            return [self._score(read, wanted)]
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            smaller = self.means.batch.halve(len(read)) or self.means.models.halve_chunks()
            if not smaller:
                raise
        torch.cuda.empty_cache()
        half = -(-len(read) // 2)
        return [part for some in (read[:half], read[half:]) if some for part in self._score_what_fits(some, wanted)]

    def _score(self, read: Sequence[Read], wanted: Wanted) -> _Part:
        loaded = load_planned(self.job, self.cohort, self.spec, self.means)
        classifiers, randomised = ([getattr(each, name) for each in loaded] for name in ("classifier", "randomised"))
        audit = Audit(self.spec, self.cohort, classifiers, self.lease.count, randomised)
        scores = audit.score(batch_of(read, self._facts["classes"], self.means.models.device), wanted)
        keys = replace(self.memory.keys, chunk=classifiers[0].chunk)  # where memory ran out, it has become less
        values = [
            Values(self.cohort, run, each.image.number, row, keys.of(run, each.facts))
            for run, columns in [*scores.runs.items(), (ACROSS_RUNS, scores.across)]
            if columns
            for each, row in zip(read, _pack(columns), strict=True)
        ]
        known = [row for each in read for row in each.known.values(self.cohort, each.image)]
        return _Part([*values, *known], scores.maps, read)

    @property
    def _facts(self) -> Json:
        assert self.job.plan is not None, "measuring shards exist once a job is planned"
        facts: Json = self.job.plan["cohorts"][self.cohort]
        return facts


def load_planned(job: Job, cohort: int, spec: JobSpec, means: Means) -> list[LoadedModel]:
    """A cohort's models, made for a spec's passes. Raises ModelRefused where a file is not what was planned."""
    assert job.plan is not None, "models are loaded once a job is planned"
    loaded, model = [], job.spec.cohorts[cohort].model
    for index, run in enumerate(job.plan["cohorts"][cohort]["runs"]):
        with blaming_run(cohort, index), means.places.model(run["path"]) as path:
            found = means.models.load(path, model, spec)
            if found.sha256 != run["sha256"]:
                raise ModelRefused(reason=f"{path} has changed since the job was planned; submit it again")
        loaded.append(found)
    return loaded


def _pack(columns: Columns) -> list[bytes]:
    """A row an image, float64 in the columns' order."""
    table = torch.stack([column.double() for column in columns.values()], dim=1).cpu().numpy()
    return [np.ascontiguousarray(row).astype("<f8").tobytes() for row in table]
