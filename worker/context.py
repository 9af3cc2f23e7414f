"""What a worker works with, from its settings."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from service.domain.job import Job
from service.storage import Store
from worker.inputs.resolver import InputResolver
from worker.models.cache import ModelCache
from worker.models.sandbox import DEFAULT_LIMITS, SandboxLimits, limits_from, sandbox_for
from worker.runtime.allocator import keep_freed_memory
from worker.runtime.batch_size import BatchSize
from worker.runtime.devices import choose_device, processes_for, share_cores
from worker.settings import WorkerSettings


@dataclass(frozen=True)
class WorkerContext:
    """What a worker has to measure with."""

    models: ModelCache
    batch_size: BatchSize
    inputs: InputResolver

    @classmethod
    def create(
        cls,
        device: torch.device,
        places: InputResolver,
        images: int | None = None,
        limits: SandboxLimits = DEFAULT_LIMITS,
        processes: int = 1,
    ) -> "WorkerContext":
        """A device, where things are, how many pictures to score together (None: what fits), what loading may take.

        `processes`, this one among them, share the machine.
        """
        keep_freed_memory()
        share_cores(device, processes)
        models = ModelCache(device, trial=sandbox_for(limits))
        return cls(models, BatchSize(device, images, processes), places)

    def of_job(self, job: Job, store: Store) -> "WorkerContext":
        """The means for a job, whose URIs mean one thing throughout, and whose artifacts are its tenant's."""
        return replace(self, inputs=self.inputs.for_job(job.id, store.for_tenant(job.tenant).artifact_owners))


def worker_context(settings: WorkerSettings, index: int, roots: Sequence[Path]) -> WorkerContext:
    """The means of this machine's process number `index`; files may lie under the roots."""
    device = choose_device(settings.device, index)
    processes = processes_for(settings.device, settings.processes)
    return WorkerContext.create(
        device, InputResolver.from_settings(settings, roots), settings.batch_size, limits_from(settings), processes
    )
