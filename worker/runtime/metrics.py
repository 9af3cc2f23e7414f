"""Prometheus metrics of a worker process: shards, forward passes, cache requests and GPU memory.

Each process counts for itself. If a port is set, process number n serves its metrics at port + n.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import Counter, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from service.domain.work import ShardKind
from service.telemetry.metrics import make_registry

SECONDS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0)

log = logging.getLogger(__name__)

REGISTRY = make_registry()
SHARDS = Counter(
    "salience_worker_shards", "Shards that this process finished working on, by outcome", ("kind", "outcome"),
    registry=REGISTRY,
)  # fmt: skip
SHARD_SECONDS = Histogram(
    "salience_worker_shard_seconds", "Seconds of work on a shard", ("kind",), buckets=SECONDS, registry=REGISTRY
)
PASSES = Counter("salience_worker_passes", "Forward passes, including those of failed attempts", registry=REGISTRY)
CACHE = Counter(
    "salience_worker_cache_requests", "Requests to the caches of models in memory and of files on disk",
    ("cache", "outcome"),
    registry=REGISTRY,
)  # fmt: skip


class GpuCollector(Collector):
    """Measures the memory of the GPUs that this process uses, at each scrape."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the memory of each GPU. Before CUDA is initialised, yield none: a query would allocate GPU memory."""
        gauge = GaugeMetricFamily(
            "salience_worker_gpu_memory_bytes", "Memory of a GPU: in tensors, reserved by this process, free, in total",
            labels=["device", "what"],
        )  # fmt: skip
        import torch  # imported here, since the file cache imports this module and must load without torch

        used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]  # torch has no type for this function
        for number in range(torch.cuda.device_count() if used else 0):
            free, total = torch.cuda.mem_get_info(number)
            allocated, reserved = torch.cuda.memory_allocated(number), torch.cuda.memory_reserved(number)
            for what, size in {"tensors": allocated, "held": reserved, "free": free, "total": total}.items():
                gauge.add_metric([str(number), what], size)
        yield gauge


REGISTRY.register(GpuCollector())


@contextmanager
def timed(kind: ShardKind) -> Iterator[None]:
    """Measure the time of work on a shard, whether it succeeds or fails."""
    start = perf_counter()
    try:
        yield
    finally:
        SHARD_SECONDS.labels(kind).observe(perf_counter() - start)


def count_cache_request(cache: str, hit: bool) -> None:
    """Count a request to a cache as hit or miss."""
    CACHE.labels(cache, "hit" if hit else "miss").inc()


def serve_metrics(host: str, port: int | None) -> None:
    """Serve the metrics in a thread if a port is set. A port in use is logged and does not stop the worker."""
    if port is None:
        return
    try:
        start_http_server(port, host, REGISTRY)
    except OSError as error:
        log.error("No metrics: cannot listen on %s:%d (SALIENCE_METRICS_PORT): %s", host, port, error)
