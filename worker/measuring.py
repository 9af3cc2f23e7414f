"""Measuring a shard: read its pictures, audit them batch by batch under all runs of its cohort."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from service.domain import ACROSS_RUNS, Image, Job, Json, Shard, ShardResult, Values
from service.errors import ModelRefused, blaming
from worker.audit import Audit, Batch
from worker.classifiers.classifier import Classifier
from worker.devices import name_of
from worker.images.read import Picture, Unreadable, read_picture
from worker.lease import Lease
from worker.models import Models
from worker.scoring import Columns


@dataclass(frozen=True)
class Read:
    """A picture of a job, and what was read of it."""

    image: Image
    picture: Picture


def measure(job: Job, shard: Shard, images: Sequence[Image], models: Models, lease: Lease) -> ShardResult:
    """The numbers of a shard's pictures. Raises ModelRefused where a file is not what was planned, and WorkStopped."""
    cohort, facts = job.spec.cohorts[shard.cohort], _facts(job)["cohorts"][shard.cohort]
    classifiers = _load(job, shard.cohort, facts, models)
    audit = Audit(job.spec, shard.cohort, classifiers, lease.count)
    noted: list[Image] = []
    values: list[Values] = []
    for start in range(0, len(images), models.batch_size):
        read: list[Read] = []
        for image in images[start : start + models.batch_size]:
            try:
                picture = read_picture(Path(image.path), cohort.model.preprocessing)
            except Unreadable as error:
                noted.append(replace(image, skipped=str(error)))
                continue
            noted.append(replace(image, sha256=picture.digest))
            read.append(Read(image, picture))
        if read:
            values += _score(audit, shard.cohort, read, facts["classes"])
        lease.check()
    return ShardResult(noted, values, lease.passes, name_of(classifiers[0].device))


def _facts(job: Job) -> Json:
    assert job.plan is not None, "measuring shards exist once a job is planned"
    return job.plan


def _load(job: Job, cohort: int, facts: Json, models: Models) -> list[Classifier]:
    loaded = []
    for index, run in enumerate(facts["runs"]):
        with blaming(f"cohorts[{cohort}].runs[{index}].uri"):
            model = models.load(Path(run["path"]), job.spec.cohorts[cohort].model)
            if model.sha256 != run["sha256"]:
                raise ModelRefused(reason=f"{run['path']} has changed since the job was planned; submit it again")
        loaded.append(model.classifier)
    return loaded


def _score(audit: Audit, cohort: int, read: Sequence[Read], classes: dict[str, int]) -> Iterator[Values]:
    device = audit.classifiers[0].device
    labels = [-1 if each.image.label is None else classes[each.image.label] for each in read]
    batch = Batch(
        torch.stack([each.picture.values for each in read]).to(device),
        [each.picture.digest for each in read],
        torch.tensor(labels, device=device),
    )
    scores = audit.score(batch)
    for run, columns in [*enumerate(scores.runs), (ACROSS_RUNS, scores.across)]:
        if columns:
            for each, row in zip(read, _pack(columns), strict=True):
                yield Values(cohort, run, each.image.number, row)


def _pack(columns: Columns) -> list[bytes]:
    """A row an image, float64 in the columns' order."""
    table = torch.stack([column.double() for column in columns.values()], dim=1).cpu().numpy()
    return [np.ascontiguousarray(row).astype("<f8").tobytes() for row in table]
