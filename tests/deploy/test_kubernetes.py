"""The manifests as `kubectl apply -k` would send them, against Kubernetes' own schemas. No cluster is asked."""

import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from service.domain.job import Plan, Slice
from service.net.allowed_hosts import METADATA_NETWORKS
from service.settings import ServiceSettings
from service.storage import Store
from tests.support.jobs import AuditInputs
from worker.settings import WorkerSettings

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
SETTINGS = {f"SALIENCE_{name.upper()}" for name in ServiceSettings.model_fields | WorkerSettings.model_fields}
KEDA = "keda.sh/v1alpha1"
# What KEDA's page on its postgresql scaler has.
POSTGRESQL = {
    "host", "port", "userName", "dbName", "sslmode", "query", "targetQueryValue", "activationTargetQueryValue",
}  # fmt: skip
Manifest = dict[str, Any]


def built(name: str) -> list[Manifest]:
    """A kustomization, put together."""
    kubectl = Path(sys.executable).parent / "kubectl"
    made = subprocess.run([kubectl, "kustomize", FOLDER / name], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return list(yaml.safe_load_all(made.stdout))


@pytest.fixture(scope="module")
def kustomizations() -> dict[str, list[Manifest]]:
    return {name: built(name) for name in ("migrate", "cpu", "gpu")}


@pytest.fixture(scope="module")
def manifests(kustomizations: dict[str, list[Manifest]]) -> list[Manifest]:
    return [each for some in kustomizations.values() for each in some]


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """What is run: names and pods."""
    for each in manifests:
        if each["kind"] in ("Deployment", "Job"):
            yield each["metadata"]["name"], each["spec"]["template"]


def test_kubernetes_knows_every_field(manifests: list[Manifest]) -> None:
    for each in manifests:
        if each["apiVersion"] != KEDA:
            kubernetes_validate.validate(each, kubernetes_validate.latest_version(), strict=True)


def test_all_is_there(kustomizations: dict[str, list[Manifest]]) -> None:
    assert {name for name, _ in pods(kustomizations["migrate"])} == {"migrate"}
    for kind in ("cpu", "gpu"):
        assert {name for name, _ in pods(kustomizations[kind])} == {"api", "worker", "redis"}
        kinds = {each["kind"] for each in kustomizations[kind]}
        assert kinds >= {"PodDisruptionBudget", "NetworkPolicy", "ScaledObject", "TriggerAuthentication"}


def test_no_container_is_root_or_changes_its_files(manifests: list[Manifest]) -> None:
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


def test_what_serves_is_probed(kustomizations: dict[str, list[Manifest]]) -> None:
    found = {name: pod["spec"]["containers"][0] for name, pod in pods(kustomizations["gpu"])}
    assert found["api"]["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert found["api"]["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert found["worker"]["livenessProbe"]["httpGet"]["path"] == "/metrics"
    assert found["worker"]["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_each_process_of_a_worker_can_be_scraped(kustomizations: dict[str, list[Manifest]]) -> None:
    for kind, processes in (("cpu", 4), ("gpu", 1)):
        pod = dict(pods(kustomizations[kind]))["worker"]
        (container,) = pod["spec"]["containers"]
        given = {env["name"]: env["value"] for env in container["env"]}
        assert int(given.get("SALIENCE_PROCESSES", container["resources"]["limits"].get("nvidia.com/gpu"))) == processes
        first = int(given["SALIENCE_METRICS_PORT"])
        ports = sorted(port["containerPort"] for port in container["ports"])
        assert ports == list(range(first, first + processes))
        assert "prometheus.io/port" not in pod["metadata"]["annotations"], "it would leave but one of them"
        policies = {each["metadata"]["name"]: each for each in kustomizations[kind] if each["kind"] == "NetworkPolicy"}
        (passing,) = policies["worker"]["spec"]["ingress"][0]["ports"]
        assert passing["port"] <= ports[0] and ports[-1] <= passing["endPort"]


def test_settings_are_settings_of_ours_and_secrets_are_files(manifests: list[Manifest]) -> None:
    given = {name: text for each in manifests if each["kind"] == "ConfigMap" for name, text in each["data"].items()}
    containers = [container for _, pod in pods(manifests) for container in pod["spec"]["containers"]]
    given |= {env["name"]: env["value"] for container in containers for env in container.get("env", [])}
    assert {name.removesuffix("_FILE") for name in given} <= SETTINGS
    assert given["SALIENCE_DATABASE_PASSWORD_FILE"].startswith("/run/secrets/salience/")
    assert "@" in given["SALIENCE_DATABASE_URL"] and ":" not in given["SALIENCE_DATABASE_URL"].split("@")[0][13:]


def test_every_policy_and_budget_is_about_pods_that_are_there(kustomizations: dict[str, list[Manifest]]) -> None:
    for manifests in kustomizations.values():
        names = {pod["metadata"]["labels"]["app.kubernetes.io/name"] for _, pod in pods(manifests)}
        for each in manifests:
            selector = each["spec"].get("podSelector") or each["spec"].get("selector", {}) if "spec" in each else {}
            assert _chosen(selector) <= names, each["metadata"]["name"]


def _chosen(selector: Manifest) -> set[str]:
    """The names of the pods that a selector is about."""
    labels = selector.get("matchLabels", {})
    chosen = {labels["app.kubernetes.io/name"]} if labels else set()
    return chosen | {name for request in selector.get("matchExpressions", []) for name in request["values"]}


def ways_out(manifests: list[Manifest], name: str) -> Iterator[tuple[Manifest, list[Manifest]]]:
    """Where the pods of that name may connect to: peers, each with the ports there. No peer is any."""
    for each in manifests:
        if each["kind"] == "NetworkPolicy" and name in _chosen(each["spec"]["podSelector"]):
            for rule in each["spec"].get("egress", []):
                yield from ((peer, rule.get("ports", [{}])) for peer in rule.get("to", [{}]))


def takes(peer: Manifest, address: str) -> bool:
    """Whether an address outside the cluster is among a peer's."""
    if not peer:
        return True
    block = peer.get("ipBlock", {"cidr": "255.255.255.255/32"})
    return ip_address(address) in ip_network(block["cidr"]) and not any(
        ip_address(address) in ip_network(each) for each in block.get("except", [])
    )


def test_no_pod_reaches_a_clouds_metadata_or_what_is_private_on_any_port(
    kustomizations: dict[str, list[Manifest]],
) -> None:
    private = ["169.254.169.254", "169.254.170.2", "169.254.1.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "127.0.0.1"]
    refused = [*private, "100.100.100.200", *(str(each[0]) for each in METADATA_NETWORKS), "192.0.0.192"]
    for manifests in kustomizations.values():
        for name, _ in pods(manifests):
            reached = [each for each in refused for peer, _ in ways_out(manifests, name) if takes(peer, each)]
            assert reached == [], name


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_those_who_work_reach_names_the_database_the_broker_and_the_web(
    kustomizations: dict[str, list[Manifest]], kind: str
) -> None:
    for name in ("api", "worker"):
        ways = list(ways_out(kustomizations[kind], name))
        inside = {label: ports for peer, ports in ways for label in _labels(peer)}
        assert inside["kube-system"] == [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]
        assert (inside["databases"], inside["redis"]) == ([{"port": 5432}], [{"port": 6379}])
        assert [ports for peer, ports in ways if takes(peer, "93.184.216.34")] == [[{"port": 80}, {"port": 443}]]


def _labels(peer: Manifest) -> Iterator[str]:
    """The labels of the namespaces or pods that a peer is."""
    for selector in peer.values():
        yield from selector.get("matchLabels", {}).values()


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_keda_scales_by_the_shards_that_wait_or_run(
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
