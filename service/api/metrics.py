"""Prometheus gauges that are read from the database at each scrape."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from service.errors import DatabaseUnavailable
from service.storage import Store
from service.storage.gauges import GAUGES, read_gauges

UP = "salience_database_up"


@contextmanager
def collecting_store_metrics(registry: CollectorRegistry, store: Store) -> Iterator[None]:
    """Add the gauges of a store to the registry while this context is open."""
    collector = StoreCollector(store)
    registry.register(collector)
    try:
        yield
    finally:
        registry.unregister(collector)


class StoreCollector(Collector):
    """Reads the gauges from the database. If it is unavailable, only `salience_database_up` is sent, with 0."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Return no metrics, so that registering does not query the database."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Query the database for one scrape."""
        try:
            read = read_gauges(self._store.database)
        except DatabaseUnavailable:
            read = {}
        yield GaugeMetricFamily(UP, "Whether the database answers", 1.0 if read else 0.0)
        for name, values in read.items():
            gauge = GAUGES[name]
            family = GaugeMetricFamily(name, gauge.meaning, labels=[gauge.label] if gauge.label else None)
            for label, value in values.items():
                family.add_metric([label] if gauge.label else [], value)
            yield family
