"""Alerts and the dashboard: every expression parses, and asks for metrics and labels that are really told."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client import CollectorRegistry

from service.metrics import UP, make_registry
from service.observing import RequestMetrics
from service.storage.gauges import GAUGES
from worker.meters import REGISTRY

DEPLOY = Path(__file__).parents[2] / "deploy"
OPERATIONS = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
RULES = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())["groups"][0]["rules"]
PANELS = json.loads((DEPLOY / "grafana" / "salience.json").read_text())["panels"]
BY_PROMETHEUS = {"job", "instance"}


def told(registry: CollectorRegistry) -> dict[str, set[str]]:
    """The series of a registry, and their labels."""
    found: dict[str, set[str]] = {}
    for collector, names in registry._collector_to_names.items():
        labels = set(getattr(collector, "_labelnames", ())) | {"le"}
        found |= dict.fromkeys(names, labels)
    return found


@pytest.fixture(scope="module")
def series() -> dict[str, set[str]]:
    api = make_registry()
    RequestMetrics(api)
    gauges = {name: {gauge.label} if gauge.label else set() for name, gauge in GAUGES.items()}
    return {
        **told(api),
        **told(REGISTRY),
        **gauges,
        UP: set(),
        "salience_worker_gpu_memory_bytes": {"device", "what"},
        "process_resident_memory_bytes": set(),
    }


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in RULES)
    for panel in PANELS:
        yield from (target["expr"].replace("$__rate_interval", "5m") for target in panel["targets"])


def selectors(node: Any) -> Iterator[Any]:
    """The vector selectors in an expression."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("lhs", "rhs", "expr", "vector_selector", "param"):
        below = getattr(node, name, None)
        if below is not None:
            yield from selectors(below)
    for argument in getattr(node, "args", None) or []:
        yield from selectors(argument)


@pytest.mark.parametrize("expression", list(expressions()))
def test_an_expression_asks_for_what_is_told(expression: str, series: dict[str, set[str]]) -> None:
    found = list(selectors(promql_parser.parse(expression)))
    assert found
    for selector in found:
        assert selector.name in series
        asked = {matcher.name for matcher in selector.matchers.matchers}
        assert asked <= series[selector.name] | BY_PROMETHEUS


def test_every_alert_says_what_to_do() -> None:
    for rule in RULES:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert re.search(rf"^### {rule['alert']}$", OPERATIONS, re.MULTILINE), rule["alert"]


def test_panels_lie_beside_each_other() -> None:
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in PANELS}
    assert len(places) == len(PANELS) == len({panel["id"] for panel in PANELS})
