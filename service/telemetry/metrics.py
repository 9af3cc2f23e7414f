"""Prometheus registries."""

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector


def make_registry() -> CollectorRegistry:
    """A registry that tells of this process: its memory, its CPU time, its files, its Python."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry
