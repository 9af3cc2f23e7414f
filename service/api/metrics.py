"""The API's metrics: what this process did, and what the database tells when it is asked."""

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
def collecting(registry: CollectorRegistry, store: Store) -> Iterator[None]:
    """Have the registry tell of a store while this context is open."""
    collector = StoreCollector(store)
    registry.register(collector)
    try:
        yield
    finally:
        registry.unregister(collector)


class StoreCollector(Collector):
    """The database's gauges. Without a database there are none, and `salience_database_up` is 0."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing is asked of the database to register."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Ask once, for a scrape."""
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
