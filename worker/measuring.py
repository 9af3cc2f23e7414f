"""Measuring a shard: read its pictures, audit them batch by batch under all runs of its cohort."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from service.domain import ACROSS_RUNS, Image, Job, Json, Shard, ShardResult, Values
from service.errors import ModelRefused, blaming
from service.spec import JobSpec
from worker.allocator import keep_freed_memory
from worker.audit import Audit
from worker.batching import BatchSize, is_out_of_memory
from worker.devices import name_of, share_cores
from worker.fetching.opening import opener
from worker.fetching.places import Places
from worker.lease import Lease
from worker.map_totals import MapTotals
from worker.models import LoadedModel, Models
from worker.reading import Decoding, Read, batch_of, read_ahead
from worker.scoring import Columns
from worker.trying import STANDARD, Limits, trial_of


def measure(job: Job, shard: Shard, images: Sequence[Image], means: "Means", lease: Lease) -> ShardResult:
    """The numbers of a shard's pictures. Raises ModelRefused where a file is not what was planned, and WorkStopped."""
    among, totals = job.set_of(shard.start), MapTotals()
    spec = job.spec if among.field == "images" else job.spec.outside()
    work = _Work(job, spec, shard.cohort, means, lease)
    preprocessing = spec.cohorts[shard.cohort].model.preprocessing
    noted: list[Image] = []
    values: list[Values] = []
    decode = Decoding(opener(means.places), preprocessing)

    def fitting() -> int:
        return means.batch.pictures(spec.passes(), preprocessing.size)

    for page in read_ahead(images, fitting, decode, shard.last_try):
        noted += page.noted
        for part in work.score(page.read) if page.read else ():
            values += part.values
            if job.spec.out_of_set:
                totals.add(part.maps)
        lease.check()
    sums = totals.rows(shard.cohort, among.field == "out_of_set")
    return ShardResult(noted, values, lease.passes, name_of(means.models.device), sums)


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
        share_cores(processes)
        models = Models(device, trial=trial_of(limits))
        return cls(models, BatchSize(device, pictures, processes), places)


@dataclass(frozen=True)
class _Part:
    """The numbers of some pictures, and their maps (N, H, W) under each run."""

    values: Sequence[Values]
    maps: Sequence[Tensor]


@dataclass(frozen=True)
class _Work:
    job: Job
    spec: JobSpec
    cohort: int
    means: Means
    lease: Lease

    def score(self, read: Sequence[Read]) -> list[_Part]:
        """The numbers of pictures; where memory runs out, of fewer at a time."""
        try:
            return [self._score(read)]
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            smaller = self.means.batch.halve(len(read)) or self.means.models.halve_chunks()
            if not smaller:
                raise
        torch.cuda.empty_cache()
        half = -(-len(read) // 2)
        return [part for some in (read[:half], read[half:]) if some for part in self.score(some)]

    def _score(self, read: Sequence[Read]) -> _Part:
        loaded = self._load()
        classifiers, randomised = ([getattr(each, name) for each in loaded] for name in ("classifier", "randomised"))
        audit = Audit(self.spec, self.cohort, classifiers, self.lease.count, randomised)
        scores = audit.score(batch_of(read, self._facts["classes"], self.means.models.device))
        values = [
            Values(self.cohort, run, each.image.number, row)
            for run, columns in [*enumerate(scores.runs), (ACROSS_RUNS, scores.across)]
            if columns
            for each, row in zip(read, _pack(columns), strict=True)
        ]
        return _Part(values, scores.maps)

    def _load(self) -> list[LoadedModel]:
        loaded, model = [], self.job.spec.cohorts[self.cohort].model
        for index, run in enumerate(self._facts["runs"]):
            with blaming(f"cohorts[{self.cohort}].runs[{index}].uri"):
                found = self.means.models.load(self.means.places.model(run["path"]), model, self.spec)
                if found.sha256 != run["sha256"]:
                    raise ModelRefused(reason=f"{run['path']} has changed since the job was planned; submit it again")
            loaded.append(found)
        return loaded

    @property
    def _facts(self) -> Json:
        assert self.job.plan is not None, "measuring shards exist once a job is planned"
        facts: Json = self.job.plan["cohorts"][self.cohort]
        return facts


def _pack(columns: Columns) -> list[bytes]:
    """A row an image, float64 in the columns' order."""
    table = torch.stack([column.double() for column in columns.values()], dim=1).cpu().numpy()
    return [np.ascontiguousarray(row).astype("<f8").tobytes() for row in table]
