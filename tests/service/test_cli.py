import json
import threading
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from service.cli import commands
from tests.support.jobs import AuditInputs
from tests.support.processes import Installation


def test_every_command_has_a_help_page(tmp_path: Path) -> None:
    listed = Installation.make(tmp_path).run("--help")
    for command in (
        "serve", "worker", "migrate", "submit", "wait", "verdict", "results", "report", "figure", "audit", "inspect",
    ):  # fmt: skip
        assert command in listed
        shown = CliRunner().invoke(commands, [command, "--help"])
        assert (shown.exit_code, "Usage" in shown.output) == (0, True), command


def test_an_unknown_command_or_option_is_an_error(tmp_path: Path) -> None:
    installation = Installation.make(tmp_path)
    installation.run("dance", status=2)
    installation.run("audit", "--loudly", status=2)


def test_a_command_reports_each_problem_of_a_spec_with_its_field(ingredients: AuditInputs, tmp_path: Path) -> None:
    installation = Installation.make(tmp_path)
    spec = installation.write_spec(ingredients.body(colour="red", seed=-1))
    error = json.loads(installation.run("audit", spec, "--json", status=2))
    assert error["type"] == "invalid-spec"
    assert {each["field"] for each in error["errors"]} == {"colour", "seed"}
    missing = installation.write_spec(ingredients.body(images={"uri": "gone"}))
    assert "images.uri" in installation.run("audit", missing, "--json", status=2)


def test_an_unreachable_service_is_an_error_that_names_the_remedy(ingredients: AuditInputs, tmp_path: Path) -> None:
    installation = Installation.make(tmp_path)
    spec = installation.write_spec(ingredients.body())
    error = json.loads(installation.run("submit", spec, "--json", status=2))
    assert error["type"] == "remote-unreachable"
    assert "salience serve" in error["detail"]


def test_a_worker_without_a_broker_is_refused(tmp_path: Path) -> None:
    assert "SALIENCE_BROKER_URL is not set" in Installation.make(tmp_path).fail("worker")


@pytest.mark.parametrize("url", ["postgresql://127.0.0.1:1/none", "mysql://nowhere", "nonsense"])
def test_an_unreachable_database_is_an_error_without_a_traceback(tmp_path: Path, url: str) -> None:
    errors = Installation.make(tmp_path, database_url=url).fail("migrate")
    assert "Traceback" not in errors
    assert "SALIENCE_DATABASE_URL" in errors


def test_an_invalid_setting_is_an_error_without_a_traceback(tmp_path: Path) -> None:
    errors = Installation.make(tmp_path, port="many").fail("serve")
    assert "SALIENCE_PORT" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("job", ["", "..", "../../healthz"])
def test_an_invalid_job_id_is_an_error(tmp_path: Path, job: str) -> None:
    Installation.make(tmp_path).run("wait", job, status=2)


def test_an_unknown_device_stops_every_command_that_needs_it(ingredients: AuditInputs, tmp_path: Path) -> None:
    installation = Installation.make(tmp_path, device="cuda:99")
    spec = installation.write_spec(ingredients.body())
    assert "SALIENCE_DEVICE" in installation.run("audit", spec, "--json", status=2)
    with installation.start("serve", "--port", installation.port) as process:
        assert process.wait(60) != 0
    assert "SALIENCE_DEVICE=cuda:99" in (tmp_path / "log.txt").read_text()


def test_a_request_that_waits_does_not_delay_the_shutdown_of_the_service(
    ingredients: AuditInputs, tmp_path: Path
) -> None:
    installation = Installation.make(tmp_path)
    with installation.serve() as process, httpx.Client(base_url=installation.url, timeout=60) as client:
        body = ingredients.body(options={}, cohorts=[ingredients.cohort("a", 0, 1, 2)])
        path = client.post("/v1/jobs", json=body).json()["links"]["self"]
        tag = client.get(path).headers["ETag"]
        waiting = threading.Thread(target=client.get, args=(path,), kwargs={
            "params": {"wait": 60}, "headers": {"If-None-Match": tag},
        })  # fmt: skip
        waiting.start()
        process.terminate()
        process.wait(30)
        waiting.join(5)
        assert not waiting.is_alive()


def test_a_model_and_an_image_set_are_inspected_without_a_server(ingredients: AuditInputs, tmp_path: Path) -> None:
    installation = Installation.make(tmp_path)
    found = json.loads(installation.run("inspect", ingredients.models[0], "--size", "24", "24", "--json"))
    assert (found["format"], found["layer"]) == ("torchscript", "features")
    assert "count: 12" in installation.run("inspect", ingredients.images, "--images")
    assert "no known model format" in installation.run("inspect", __file__, "--json", status=2)
