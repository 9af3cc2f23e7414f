"""Measuring a shard: read its pictures, audit them batch by batch under all runs of its cohort."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from service.domain import ACROSS_RUNS, Image, Job, Json, Shard, ShardResult, Values
from service.errors import ModelRefused, blaming
from worker.allocator import keep_freed_memory
from worker.audit import Audit
from worker.batching import BatchSize, is_out_of_memory
from worker.classifiers.classifier import Classifier
from worker.devices import name_of
from worker.fetching.opening import opener
from worker.fetching.places import Places
from worker.lease import Lease
from worker.models import Models
from worker.reading import Decoding, Read, batch_of, read_ahead
from worker.scoring import Columns
from worker.trying import STANDARD, Limits, trial_of


def measure(job: Job, shard: Shard, images: Sequence[Image], means: "Means", lease: Lease) -> ShardResult:
    """The numbers of a shard's pictures. Raises ModelRefused where a file is not what was planned, and WorkStopped."""
    work = _Work(job, shard.cohort, means, lease)
    preprocessing = job.spec.cohorts[shard.cohort].model.preprocessing
    noted: list[Image] = []
    values: list[Values] = []
    decode = Decoding(opener(means.places), preprocessing)
    for page in read_ahead(images, lambda: means.batch.pictures(job.spec.passes(), preprocessing.size), decode):
        noted += page.noted
        values += work.score(page.read)
        lease.check()
    return ShardResult(noted, values, lease.passes, name_of(means.models.device))


@dataclass(frozen=True)
class Means:
    """What a worker has to measure with."""

    models: Models
    batch: BatchSize
    places: Places

    @classmethod
    def on(
        cls, device: torch.device, places: Places, pictures: int | None = None, limits: Limits = STANDARD
    ) -> "Means":
        """A device, where things are, how many pictures to score together (None: what fits), what loading may take."""
        keep_freed_memory()
        return cls(Models(device, trial=trial_of(limits)), BatchSize(device, pictures), places)


@dataclass(frozen=True)
class _Work:
    job: Job
    cohort: int
    means: Means
    lease: Lease

    def score(self, read: Sequence[Read]) -> list[Values]:
        """The numbers of pictures; where memory runs out, of fewer at a time."""
        if not read:
            return []
        try:
            return list(self._score(read))
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            smaller = self.means.batch.halve(len(read)) or self.means.models.halve_chunks()
            if not smaller:
                raise
        torch.cuda.empty_cache()
        half = -(-len(read) // 2)
        return self.score(read[:half]) + self.score(read[half:])

    def _score(self, read: Sequence[Read]) -> Iterator[Values]:
        audit = Audit(self.job.spec, self.cohort, self._classifiers(), self.lease.count)
        scores = audit.score(batch_of(read, self._facts["classes"], self.means.models.device))
        for run, columns in [*enumerate(scores.runs), (ACROSS_RUNS, scores.across)]:
            if columns:
                for each, row in zip(read, _pack(columns), strict=True):
                    yield Values(self.cohort, run, each.image.number, row)

    def _classifiers(self) -> list[Classifier]:
        loaded, model = [], self.job.spec.cohorts[self.cohort].model
        for index, run in enumerate(self._facts["runs"]):
            with blaming(f"cohorts[{self.cohort}].runs[{index}].uri"):
                found = self.means.models.load(self.means.places.model(run["path"]), model, self.job.spec)
                if found.sha256 != run["sha256"]:
                    raise ModelRefused(reason=f"{run['path']} has changed since the job was planned; submit it again")
            loaded.append(found.classifier)
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
