"""What a worker process counts, for Prometheus: shards, passes, its caches, the memory of its GPU.

The counts are this process's own. Where a port is set, they are told there: a worker's process number n at port + n.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

import torch
from prometheus_client import Counter, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from service.domain.job import ShardKind
from service.telemetry.metrics import make_registry

SECONDS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0)

log = logging.getLogger(__name__)

REGISTRY = make_registry()
SHARDS = Counter(
    "salience_worker_shards", "Shards that this process put down, by what came of them", ("kind", "outcome"),
    registry=REGISTRY,
)  # fmt: skip
SHARD_SECONDS = Histogram(
    "salience_worker_shard_seconds", "Seconds a shard was worked on", ("kind",), buckets=SECONDS, registry=REGISTRY
)
PASSES = Counter("salience_worker_passes", "Forward passes made, those of tries that failed too", registry=REGISTRY)
CACHE = Counter(
    "salience_worker_cache_requests", "Models asked of memory, files asked of the disk's cache", ("cache", "outcome"),
    registry=REGISTRY,
)  # fmt: skip


class GpuCollector(Collector):
    """The memory of the GPUs that this process uses, asked for at the moment."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Nothing where CUDA has not been used: to ask would take memory."""
        message = GaugeMetricFamily(
            "salience_worker_gpu_memory_bytes", "Memory of a GPU: in tensors, held by this process, free, all of it",
            labels=["device", "what"],
        )  # fmt: skip
        used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        for number in range(torch.cuda.device_count() if used else 0):
            free, total = torch.cuda.mem_get_info(number)
            allocated, reserved = torch.cuda.memory_allocated(number), torch.cuda.memory_reserved(number)
            for what, size in {"tensors": allocated, "held": reserved, "free": free, "total": total}.items():
                message.add_metric([str(number), what], size)
        yield message


REGISTRY.register(GpuCollector())


@contextmanager
def timed(kind: ShardKind) -> Iterator[None]:
    """Note how long a shard was worked on, however that ends."""
    began = perf_counter()
    try:
        yield
    finally:
        SHARD_SECONDS.labels(kind).observe(perf_counter() - began)


def count_cache_request(cache: str, hit: bool) -> None:
    """Count a look into a cache."""
    CACHE.labels(cache, "hit" if hit else "miss").inc()


def serve_metrics(host: str, port: int | None) -> None:
    """Answer Prometheus in a thread, where a port is given. One that is taken stops no work."""
    if port is None:
        return
    try:
        start_http_server(port, host, REGISTRY)
    except OSError as error:
        log.error("No metrics: %s:%d cannot be listened on (SALIENCE_METRICS_PORT): %s", host, port, error)
