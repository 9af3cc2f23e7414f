"""Prometheus registries."""

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector


def make_registry() -> CollectorRegistry:
    """Create a registry with the metrics of this process: memory, CPU time, open files, Python version."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry
