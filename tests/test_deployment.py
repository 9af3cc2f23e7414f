"""Checks the Dockerfile and docker-compose.yml against the code, without a build of the images."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from compose_spec import PyCompose, PyOptions

from service.cli import COMMANDS
from service.settings import ServiceSettings
from worker.settings import WorkerSettings

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SETTINGS = {f"SALIENCE_{name.upper()}" for name in ServiceSettings.model_fields | WorkerSettings.model_fields}


@pytest.fixture(scope="module")
def compose() -> PyCompose:
    checked = PyOptions(apply_merge=True).from_yaml((ROOT / "docker-compose.yml").read_text())
    checked.validate()
    return checked


@pytest.fixture(scope="module")
def services(compose: PyCompose) -> dict[str, Any]:
    found: dict[str, Any] = compose.to_dict()["services"]
    return found


def test_hadolint_finds_no_problem_in_the_dockerfile() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    found = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "")


def test_compose_has_all_services_and_starts_the_gpu_worker_only_with_its_profile(services: dict[str, Any]) -> None:
    assert set(services) == {"postgres", "redis", "migrate", "api", "worker", "worker-gpu"}
    assert {name for name, each in services.items() if each.get("profiles")} == {"worker-gpu"}


def test_compose_builds_images_from_targets_of_the_dockerfile(services: dict[str, Any]) -> None:
    targets = set(re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE))
    built = {each["build"]["target"] for each in services.values() if "build" in each}
    assert built == {"api", "worker"}
    assert built <= targets


def test_every_service_that_another_service_waits_for_has_a_health_check(services: dict[str, Any]) -> None:
    for each in services.values():
        for name, how in each.get("depends_on", {}).items():
            assert how["condition"] != "service_healthy" or services[name]["healthcheck"]


def test_every_setting_in_compose_and_the_dockerfile_exists(services: dict[str, Any]) -> None:
    given = {name for each in services.values() for name in each.get("environment", {}) if name.startswith("SALIENCE")}
    assert given >= {"SALIENCE_DATABASE_URL", "SALIENCE_BROKER_URL", "SALIENCE_ALLOWED_ROOTS"}
    named = given | set(re.findall(r"SALIENCE_[A-Z_]+", DOCKERFILE))
    assert {name.removesuffix("_FILE") for name in named} <= SETTINGS


def test_the_build_context_of_docker_has_exactly_the_files_that_the_dockerfile_copies() -> None:
    copied = re.findall(r"^COPY (?!--)(\S+)", DOCKERFILE, re.MULTILINE)
    sent = re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert set(copied) == set(sent)


def test_images_are_pinned_and_secrets_are_files(services: dict[str, Any]) -> None:
    versions = [each["image"] for each in services.values() if "build" not in each] + re.findall(
        "PYTHON=(.*)", DOCKERFILE
    )
    assert all(re.search(r"\d+\.\d+(\.\d+)?-[a-z-]*bookworm$", version) for version in versions), versions
    assert "--constraint /wheels/constraints.txt" in DOCKERFILE
    for name, each in services.items():
        inline = {key for key in each.get("environment", {}) if "PASSWORD" in key and not key.endswith("_FILE")}
        assert not inline, name


def test_containers_are_read_only_and_without_privileges(services: dict[str, Any]) -> None:
    for name in ("migrate", "api", "worker", "worker-gpu", "redis"):
        each = services[name]
        assert each["read_only"] and each["cap_drop"] == ["ALL"], name
        assert each["security_opt"] == ["no-new-privileges:true"], name
    assert all("healthcheck" in services[name] for name in ("postgres", "redis"))
    assert DOCKERFILE.count("\nHEALTHCHECK ") == DOCKERFILE.count("\nUSER 10001:10001") == 2


def test_containers_run_existing_commands(services: dict[str, Any]) -> None:
    started = re.findall(r'^CMD \["salience", "(\w+)"\]$', DOCKERFILE, re.MULTILINE)
    assert sorted(started) == ["serve", "worker"]
    assert {*started, services["migrate"]["command"][1]} <= COMMANDS.keys()


def test_the_api_image_has_no_torch() -> None:
    api = DOCKERFILE[DOCKERFILE.index(" AS api-environment") : DOCKERFILE.index(" AS worker-environment")]
    assert "api.txt" in api
    assert 'echo "salience-audit[clouds,traces] @ file://$1" > /wheels/api.txt' in DOCKERFILE


def test_the_settings_page_of_the_documentation_names_every_setting() -> None:
    documented = set(re.findall(r"SALIENCE_[A-Z_]+", (ROOT / "docs" / "reference" / "settings.md").read_text()))
    assert documented >= SETTINGS
    assert documented - SETTINGS == {"SALIENCE_URL", "SALIENCE_API_KEY", "SALIENCE_X", "SALIENCE_X_FILE"}
