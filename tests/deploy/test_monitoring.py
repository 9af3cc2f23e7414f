"""Checks alerts and dashboard: every PromQL expression parses and uses metrics and labels that exist."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import promql_parser
import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from service.api.metrics import UP
from service.api.middleware import RequestMetrics
from service.storage import Store
from service.storage.gauges import GAUGES
from service.telemetry.metrics import make_registry
from worker.runtime.metrics import REGISTRY

DEPLOY = Path(__file__).parents[2] / "deploy"
OPERATIONS = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
RULES = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())["groups"][0]["rules"]
PANELS = json.loads((DEPLOY / "grafana" / "salience.json").read_text())["panels"]
PROMETHEUS_LABELS = {"job", "instance"}


def series_labels(registry: CollectorRegistry) -> dict[str, set[str]]:
    """Return the names of the labels of each series in a registry, by the name of the series."""
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
        **series_labels(api),
        **series_labels(REGISTRY),
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
    """Yield the vector selectors in a parsed PromQL expression."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("lhs", "rhs", "expr", "vector_selector", "param"):
        child = getattr(node, name, None)
        if child is not None:
            yield from selectors(child)
    for argument in getattr(node, "args", None) or []:
        yield from selectors(argument)


@pytest.mark.parametrize("expression", list(expressions()))
def test_every_promql_expression_uses_existing_metrics_and_labels(expression: str, series: dict[str, set[str]]) -> None:
    found = list(selectors(promql_parser.parse(expression)))
    assert found
    for selector in found:
        assert selector.name in series
        labels = {matcher.name for matcher in selector.matchers.matchers}
        assert labels <= series[selector.name] | PROMETHEUS_LABELS


def matching_statuses(expression: str, api: httpx.Client) -> list[str]:
    """Return the HTTP statuses in the API's metrics that the first selector of a PromQL expression matches."""
    selector = next(selectors(promql_parser.parse(expression)))
    families = text_string_to_metric_families(api.get("/metrics").text)
    found = [each.labels["status"] for family in families for each in family.samples if each.name == selector.name]
    return [status for status in found if all(matches(each, status) for each in selector.matchers.matchers)]


def matches(matcher: Any, value: str) -> bool:
    equal = matcher.op in (promql_parser.MatchOp.Equal, promql_parser.MatchOp.NotEqual)
    found = value == matcher.value if equal else re.fullmatch(matcher.value, value) is not None
    return found is (matcher.op in (promql_parser.MatchOp.Equal, promql_parser.MatchOp.Re))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the result does not depend on the database
def test_the_alert_on_errors_ignores_responses_about_features_that_are_not_configured(
    api: httpx.Client, store: Store
) -> None:
    (errors,) = [rule["expr"] for rule in RULES if rule["alert"] == "SalienceErrors"]
    assert api.post("/v1/hooks/mlflow", json={}).status_code == 501
    assert api.post("/v1/webhooks", json={"url": "https://receiver.example"}).status_code == 501
    assert matching_statuses(errors, api) == []
    with store.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE jobs RENAME TO renamed")
    assert api.get("/v1/jobs").status_code == 503
    assert matching_statuses(errors, api) == ["503"]


def test_the_operations_guide_describes_every_alert() -> None:
    for rule in RULES:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert re.search(rf"^### {rule['alert']}$", OPERATIONS, re.MULTILINE), rule["alert"]


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in PANELS}
    assert len(places) == len(PANELS) == len({panel["id"] for panel in PANELS})
