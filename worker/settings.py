"""Settings of a worker."""

from pydantic import ByteSize, Field

from service.settings import StoreSettings


class WorkerSettings(StoreSettings):
    """The shared settings, and those of a worker."""

    processes: int | None = Field(default=None, ge=1)
    """Number of shards that a worker processes at once. Each process loads its own models. On a CPU, each process uses
    one thread, so that no result depends on this setting. Default: one per GPU, or one per CPU core, at most 8."""
    batch_size: int | None = Field(default=None, ge=1, le=1024)
    """Number of images that are scored together. No result depends on it. Default: as many as fit into memory."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, or one GPU such as `cuda:1`."""
    memory_limit: ByteSize | None = Field(default=None, ge=2**28)
    """Maximum memory of a worker process, such as `8GiB`. When memory runs out, the worker scores fewer images at once.
    Default: none."""
    shutdown_grace_seconds: float = Field(default=25.0, gt=0)
    """Seconds that a worker may take after a stop signal to return its shard to the queue."""
    model_memory_gib: float = Field(default=16.0, gt=0)
    """Memory in GiB that loading a model may take."""
    model_seconds: float = Field(default=300.0, gt=0)
    """Seconds that loading a model may take."""
    metrics_host: str = "127.0.0.1"
    """Address on which a worker serves Prometheus metrics."""
    metrics_port: int | None = Field(default=None, ge=1, le=65535)
    """First port of these metrics. Process n of the worker (n = 0, 1, ...) uses this port + n. Default: none. The API
    serves its own metrics at `/metrics`."""
