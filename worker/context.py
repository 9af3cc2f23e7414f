"""Models, batch size and inputs of a worker process, made from its settings."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from service.domain.job import Job
from service.storage import Store
from worker.inputs.resolver import InputResolver
from worker.models.cache import ModelCache
from worker.models.sandbox import DEFAULT_LIMITS, SandboxLimits, limits_from, sandbox_for
from worker.runtime.batch_size import BatchSize
from worker.runtime.devices import choose_device, processes_for, share_cores
from worker.runtime.memory import keep_freed_memory
from worker.settings import WorkerSettings


@dataclass(frozen=True)
class WorkerContext:
    """What a worker process needs for its work: loaded models, the batch size, and access to inputs."""

    models: ModelCache
    batch_size: BatchSize
    inputs: InputResolver

    @classmethod
    def create(
        cls,
        device: torch.device,
        inputs: InputResolver,
        batch_size: int | None = None,
        limits: SandboxLimits = DEFAULT_LIMITS,
        processes: int = 1,
    ) -> "WorkerContext":
        """Make the resources of one of `processes` processes that share this machine.

        `batch_size` is the number of images scored together; None means as many as fit into memory. `limits` bound the
        time and memory that loading a model may take.
        """
        keep_freed_memory()
        share_cores(device, processes)
        models = ModelCache(device, sandbox=sandbox_for(limits))
        return cls(models, BatchSize(device, batch_size, processes), inputs)

    def for_job(self, job: Job, store: Store) -> "WorkerContext":
        """Return the context of one job, which resolves each URI once and finds only artifacts of the job's tenant."""
        return replace(self, inputs=self.inputs.for_job(job.id, store.for_tenant(job.tenant).artifact_owners))


def worker_context(settings: WorkerSettings, index: int, roots: Sequence[Path]) -> WorkerContext:
    """Make the context of process number `index` of this machine, which may read files below `roots`."""
    device = choose_device(settings.device, index)
    processes = processes_for(settings.device, settings.processes)
    return WorkerContext.create(
        device, InputResolver.from_settings(settings, roots), settings.batch_size, limits_from(settings), processes
    )
