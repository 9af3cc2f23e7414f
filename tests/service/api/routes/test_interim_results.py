from pathlib import Path
from typing import Any

import httpx
import numpy as np

from tests.support.jobs import AuditInputs, write_image
from worker.runner import Runner

GATE = {"rules": [{"measure": "entropy", "op": ">=", "value": 0.02}]}


def body(ingredients: AuditInputs, folder: Path) -> dict[str, Any]:
    random = np.random.default_rng(0)
    for number in range(40):
        write_image(folder / f"{number}.png", random, side=24)
    cohorts = [ingredients.cohort("alone", 0)]
    return ingredients.body(
        cohorts=cohorts, images={"uri": folder.as_uri()}, measures=["entropy"], gate=GATE, shard_size=32
    )


def test_a_running_job_shows_interim_results_and_a_stopped_job_its_number_of_images(
    api: httpx.Client, ingredients: AuditInputs, runner: Runner, tmp_path: Path
) -> None:
    request = body(ingredients, tmp_path / "images") | {"stop": "when-decided"}
    path = api.post("/v1/jobs", json=request).json()["links"]["self"]
    assert api.get(path).json()["so_far"] is None
    for _ in range(3):  # run the plan, the first slice and the interim look
        assert runner.work()
    running = api.get(path).json()
    assert running["state"] == "running"
    interim = running["so_far"]
    entropy = interim["cohorts"]["alone"]["measures"]["entropy"]
    assert (interim["images"], interim["of"], entropy["n"]) == (32, 40, 32)
    assert 0.02 < entropy["ci95"][0] < entropy["mean"] < entropy["ci95"][1]
    assert runner.work()
    ended = api.get(path).json()
    assert (ended["state"], ended["so_far"]) == ("succeeded", None)
    assert (ended["progress"]["images_done"], ended["progress"]["images_total"]) == (32, 40)
    assert (ended["verdict"]["outcome"], ended["verdict"]["images"]) == ("pass", 32)
    assert api.get(f"{path}/verdict").json() == ended["verdict"]
    images = api.get(f"{path}/images", params={"limit": 1000}).json()
    assert ([image["number"] for image in images["items"]], images["next"]) == (list(range(32)), None)
    assert len(api.get(f"{path}/images", headers={"Accept": "text/csv"}).text.splitlines()) == 1 + 32


def test_a_job_that_stops_when_decided_is_refused_without_a_gate(
    api: httpx.Client, ingredients: AuditInputs, tmp_path: Path
) -> None:
    answer = api.post("/v1/jobs", json={**body(ingredients, tmp_path), "gate": None, "stop": "when-decided"})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["stop"]
