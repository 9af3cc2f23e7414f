"""Checks the Kubernetes manifests of deploy/ without a cluster: fields, permissions, ports, network rules, scaling."""

import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from service.domain.work import Plan, Slice
from service.net.allowed_hosts import METADATA_NETWORKS
from service.settings import ServiceSettings
from service.storage import Store
from tests.support.jobs import AuditInputs
from worker.settings import WorkerSettings

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
SETTINGS = {f"SALIENCE_{name.upper()}" for name in ServiceSettings.model_fields | WorkerSettings.model_fields}
KEDA = "keda.sh/v1alpha1"
# The fields of KEDA's postgresql scaler, from KEDA's documentation.
POSTGRESQL = {
    "host", "port", "userName", "dbName", "sslmode", "query", "targetQueryValue", "activationTargetQueryValue",
}  # fmt: skip
Manifest = dict[str, Any]


def build(name: str) -> list[Manifest]:
    """Build a kustomization with kubectl."""
    kubectl = Path(sys.executable).parent / "kubectl"
    ended = subprocess.run([kubectl, "kustomize", FOLDER / name], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return list(yaml.safe_load_all(ended.stdout))


@pytest.fixture(scope="module")
def kustomizations() -> dict[str, list[Manifest]]:
    return {name: build(name) for name in ("migrate", "cpu", "gpu")}


@pytest.fixture(scope="module")
def manifests(kustomizations: dict[str, list[Manifest]]) -> list[Manifest]:
    return [each for some in kustomizations.values() for each in some]


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Yield the name and the pod template of every Deployment and Job."""
    for each in manifests:
        if each["kind"] in ("Deployment", "Job"):
            yield each["metadata"]["name"], each["spec"]["template"]


def test_every_field_of_the_manifests_is_in_the_schema_of_kubernetes(manifests: list[Manifest]) -> None:
    for each in manifests:
        if each["apiVersion"] != KEDA:
            kubernetes_validate.validate(each, kubernetes_validate.latest_version(), strict=True)


def test_every_kustomization_has_the_expected_workloads_and_kinds(kustomizations: dict[str, list[Manifest]]) -> None:
    assert {name for name, _ in pods(kustomizations["migrate"])} == {"migrate"}
    for kind in ("cpu", "gpu"):
        assert {name for name, _ in pods(kustomizations[kind])} == {"api", "worker", "redis"}
        kinds = {each["kind"] for each in kustomizations[kind]}
        assert kinds >= {"PodDisruptionBudget", "NetworkPolicy", "ScaledObject", "TriggerAuthentication"}


def test_containers_are_read_only_and_without_privileges(manifests: list[Manifest]) -> None:
    for name, pod in pods(manifests):
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True, name
        assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["spec"]["automountServiceAccountToken"] is False, name
        for container in pod["spec"]["containers"]:
            own = container["securityContext"]
            assert own["readOnlyRootFilesystem"] is True and own["allowPrivilegeEscalation"] is False, name
            assert own["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["limits"]["memory"], name
            assert ":" in container["image"] and not container["image"].endswith(":latest"), name


def test_servers_have_probes(kustomizations: dict[str, list[Manifest]]) -> None:
    found = {name: pod["spec"]["containers"][0] for name, pod in pods(kustomizations["gpu"])}
    assert found["api"]["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert found["api"]["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert found["worker"]["livenessProbe"]["httpGet"]["path"] == "/metrics"
    assert found["worker"]["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_prometheus_can_scrape_every_process_of_a_worker(kustomizations: dict[str, list[Manifest]]) -> None:
    for kind, processes in (("cpu", 4), ("gpu", 1)):
        pod = dict(pods(kustomizations[kind]))["worker"]
        (container,) = pod["spec"]["containers"]
        given = {env["name"]: env["value"] for env in container["env"]}
        assert int(given.get("SALIENCE_PROCESSES", container["resources"]["limits"].get("nvidia.com/gpu"))) == processes
        first = int(given["SALIENCE_METRICS_PORT"])
        ports = sorted(port["containerPort"] for port in container["ports"])
        assert ports == list(range(first, first + processes))
        assert "prometheus.io/port" not in pod["metadata"]["annotations"], "limits Prometheus to one port"
        policies = {each["metadata"]["name"]: each for each in kustomizations[kind] if each["kind"] == "NetworkPolicy"}
        (allowed,) = policies["worker"]["spec"]["ingress"][0]["ports"]
        assert allowed["port"] <= ports[0] and ports[-1] <= allowed["endPort"]


def test_every_setting_in_the_manifests_exists_and_secrets_are_files(manifests: list[Manifest]) -> None:
    given = {name: text for each in manifests if each["kind"] == "ConfigMap" for name, text in each["data"].items()}
    containers = [container for _, pod in pods(manifests) for container in pod["spec"]["containers"]]
    given |= {env["name"]: env["value"] for container in containers for env in container.get("env", [])}
    assert {name.removesuffix("_FILE") for name in given} <= SETTINGS
    assert given["SALIENCE_DATABASE_PASSWORD_FILE"].startswith("/run/secrets/salience/")
    assert "@" in given["SALIENCE_DATABASE_URL"] and ":" not in given["SALIENCE_DATABASE_URL"].split("@")[0][13:]


def test_every_policy_and_disruption_budget_selects_existing_pods(kustomizations: dict[str, list[Manifest]]) -> None:
    for manifests in kustomizations.values():
        names = {pod["metadata"]["labels"]["app.kubernetes.io/name"] for _, pod in pods(manifests)}
        for each in manifests:
            selector = each["spec"].get("podSelector") or each["spec"].get("selector", {}) if "spec" in each else {}
            assert _selected_names(selector) <= names, each["metadata"]["name"]


def _selected_names(selector: Manifest) -> set[str]:
    """Return the names of the pods that a selector matches."""
    labels = selector.get("matchLabels", {})
    selected = {labels["app.kubernetes.io/name"]} if labels else set()
    return selected | {name for expression in selector.get("matchExpressions", []) for name in expression["values"]}


def egress_rules(manifests: list[Manifest], name: str) -> Iterator[tuple[Manifest, list[Manifest]]]:
    """Yield each peer that the pods of this name may reach, and its ports. An empty peer stands for every address."""
    for each in manifests:
        if each["kind"] == "NetworkPolicy" and name in _selected_names(each["spec"]["podSelector"]):
            for rule in each["spec"].get("egress", []):
                yield from ((peer, rule.get("ports", [{}])) for peer in rule.get("to", [{}]))


def includes(peer: Manifest, address: str) -> bool:
    """Return whether the IP block of a peer contains this address. An empty peer contains every address."""
    if not peer:
        return True
    block = peer.get("ipBlock", {"cidr": "255.255.255.255/32"})
    return ip_address(address) in ip_network(block["cidr"]) and not any(
        ip_address(address) in ip_network(each) for each in block.get("except", [])
    )


def test_no_pod_can_reach_private_addresses_or_cloud_metadata(
    kustomizations: dict[str, list[Manifest]],
) -> None:
    private = ["169.254.169.254", "169.254.170.2", "169.254.1.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "127.0.0.1"]
    refused = [*private, "100.100.100.200", *(str(each[0]) for each in METADATA_NETWORKS), "192.0.0.192"]
    for manifests in kustomizations.values():
        for name, _ in pods(manifests):
            reached = [each for each in refused for peer, _ in egress_rules(manifests, name) if includes(peer, each)]
            assert reached == [], name


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_api_and_workers_can_reach_dns_the_database_the_broker_and_the_web(
    kustomizations: dict[str, list[Manifest]], kind: str
) -> None:
    for name in ("api", "worker"):
        rules = list(egress_rules(kustomizations[kind], name))
        inside = {label: ports for peer, ports in rules for label in _labels(peer)}
        assert inside["kube-system"] == [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]
        assert (inside["databases"], inside["redis"]) == ([{"port": 5432}], [{"port": 6379}])
        assert [ports for peer, ports in rules if includes(peer, "93.184.216.34")] == [[{"port": 80}, {"port": 443}]]


def _labels(peer: Manifest) -> Iterator[str]:
    """Yield the values of the labels that the selectors of a peer require."""
    for selector in peer.values():
        yield from selector.get("matchLabels", {}).values()


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_keda_scales_by_the_number_of_waiting_and_running_shards(
    kustomizations: dict[str, list[Manifest]], store: Store, ingredients: AuditInputs
) -> None:
    (scaled,) = (each for each in kustomizations["gpu"] if each["kind"] == "ScaledObject")
    (trigger,) = scaled["spec"]["triggers"]
    assert trigger["type"] == "postgresql" and set(trigger["metadata"]) <= POSTGRESQL
    assert scaled["spec"]["scaleTargetRef"]["name"] == "worker"
    store.jobs.accept(ingredients.spec(), "digest", None)
    shard = store.leases.claim("one", 30)
    assert shard is not None
    store.shards.record_plan(shard, Plan(8, [Slice(0, 0, 4), Slice(0, 4, 8)], 16, {}))
    assert store.leases.claim("two", 30)
    with store.database.engine.connect() as connection:
        assert connection.exec_driver_sql(trigger["metadata"]["query"]).scalar() == 2
