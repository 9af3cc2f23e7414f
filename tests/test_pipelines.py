"""Tests that the example pipelines match the schemas of their CI services, and that the script gate.sh works."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
import yaml

from service.commands.gate_files import read_gate
from service.gate import Gate
from tests.support.curl import environment, run
from tests.support.jobs import AuditInputs
from tests.support.processes import Installation
from tests.support.soundness import ALL_OFF

PIPELINES = Path(__file__).parents[1] / "examples" / "pipelines"
STEP = PIPELINES / "gate.sh"
DAG = PIPELINES / "airflow_dag.py"


@pytest.mark.parametrize(
    ("file", "schema"), [("github-actions.yml", "github-workflows"), ("gitlab-ci.yml", "gitlab-ci")]
)
def test_an_example_matches_the_schema_of_its_ci_service(file: str, schema: str) -> None:
    checker = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    found = subprocess.run([*checker, PIPELINES / file], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout
    assert f"{STEP.relative_to(PIPELINES.parents[1])} spec.json" in (PIPELINES / file).read_text()


def test_the_example_policy_contains_a_gate() -> None:
    assert len(read_gate(PIPELINES / "policy.yaml")["rules"]) == 3


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_command_in_the_example_policy_stores_the_policy(api: httpx.Client, tmp_path: Path) -> None:
    lines = (PIPELINES / "policy.yaml").read_text().splitlines()
    command = "\n".join(line[1:] for line in lines if line.startswith("#   "))
    run(command, PIPELINES, environment(tmp_path, str(api.base_url)))
    stored = api.get("/v1/policies/detectors").raise_for_status().json()
    assert Gate.model_validate(stored["policy"]["gate"]) == Gate.model_validate(read_gate(PIPELINES / "policy.yaml"))


def gate(rule: dict[str, object]) -> dict[str, object]:
    """Return a gate with one rule. All soundness checks are off, since the models are untrained."""
    return {"rules": [{"measure": "entropy", **rule}], "soundness": ALL_OFF}


def run_step(installation: Installation, spec: Path, rule: dict[str, object], folder: Path) -> int:
    """Run gate.sh with a policy of one rule, and with `salience` of this environment. Returns the exit status."""
    folder.mkdir()
    (folder / "policy.yaml").write_text(yaml.safe_dump(gate({"op": ">=", **rule})))
    environment = dict(installation.environment)
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    argv = ["bash", *map(str, (STEP, spec, folder / "policy.yaml", folder / "out"))]
    return subprocess.run(argv, env=environment, capture_output=True, check=False).returncode


def test_gate_sh_exits_with_the_status_of_the_gate(ingredients: AuditInputs, tmp_path: Path) -> None:
    installation = Installation.make(tmp_path)
    spec = installation.write_spec(ingredients.body(measures=["entropy"]))
    with installation.serve():
        assert run_step(installation, spec, {"value": 0.0}, tmp_path / "pass") == 0
        assert run_step(installation, spec, {"value": 1.5}, tmp_path / "fail") == 1
        assert run_step(installation, spec, {"measure": "human", "value": 0}, tmp_path / "refused") == 2
        gated = json.loads(spec.read_text()) | {"gate": gate({"op": ">=", "value": 1.5})}
        waited = installation.run("submit", installation.write_spec(gated), "--wait", "--json", status=1)
        job = json.loads(waited)
        again = json.loads(installation.run("verdict", job["id"], "--json", status=1))
        installation.run("verdict", "nobody", status=2)
    assert job["progress"]["passes_done"] == 0, "the job reuses the values of the previous jobs"
    assert again == job["verdict"]
    assert "### Salience gate: pass" in (tmp_path / "pass/out/summary.md").read_text()
    (failed,) = ElementTree.parse(tmp_path / "fail/out/junit.xml").getroot().iter("failure")
    assert "below the threshold 1.5" in failed.attrib["message"]
    assert not (tmp_path / "refused/out/junit.xml").exists()
    installation.run("submit", spec, "--junit", "x.xml", status=2)
    installation.run("submit", spec, "--wait", "--junit", "x.xml", status=2)


def read_from_dag(name: str) -> Any:
    """Return an argument of the BashOperator in the DAG. It is read from the source, since Airflow is not installed."""
    calls = [each for each in ast.walk(ast.parse(DAG.read_text())) if isinstance(each, ast.Call)]
    (operator,) = [each for each in calls if ast.unparse(each.func) == "BashOperator"]
    return ast.literal_eval(next(each.value for each in operator.keywords if each.arg == name))


def test_the_command_of_the_dag_runs_gate_sh_with_its_environment(tmp_path: Path) -> None:
    compile(DAG.read_text(), str(DAG), "exec")
    command, environment = read_from_dag("bash_command"), read_from_dag("env")
    assert read_from_dag("append_env"), "without append_env, `salience` is not on the PATH"
    assert not command.endswith((".sh", ".bash")), "Airflow would take the command for the name of a template file"
    values = {"PIPELINES": str(PIPELINES), "SPEC": "a spec.json", "POLICY": "p.yaml", "FOLDER": f"{tmp_path}/$(id)"}
    values |= {"SALIENCE_URL": "http://127.0.0.1:1", "SALIENCE_API_KEY": "k"}
    assert environment.keys() == values.keys()
    (tmp_path / "a spec.json").write_text("{}")
    (tmp_path / "p.yaml").write_text("rules: [{measure: entropy, op: '>=', value: 0}]")
    values["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command], env=values, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "http://127.0.0.1:1" in done.stderr) == (2, True), done.stderr
    assert (tmp_path / "$(id)").is_dir(), "the shell must not run the name of the folder as a command"


def test_a_local_audit_exits_with_the_status_of_its_gate(ingredients: AuditInputs, tmp_path: Path) -> None:
    installation = Installation.make(tmp_path)
    strict = gate({"op": ">=", "value": 1.5})
    small = {"measures": ["entropy"], "images": {"uri": ingredients.images.as_uri(), "limit": 6}}
    output = installation.run("audit", installation.write_spec(ingredients.body(**small, gate=strict)), status=1)
    assert "fail" in output
    by_name = installation.write_spec(ingredients.body(**small, gate={"policy": "p"}))
    assert "gate.policy" in installation.run("audit", by_name, "--json", status=2)
