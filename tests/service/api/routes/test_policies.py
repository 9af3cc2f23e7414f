from typing import Any

import httpx

from tests.support.api import submit, work_off
from tests.support.jobs import AuditInputs
from tests.support.soundness import ALL_OFF
from worker.runner import Runner

RULE = {"measure": "entropy", "op": ">=", "value": 0.0}
STRICT = {"measure": "entropy", "op": ">=", "value": 1.5}
POLICY: dict[str, Any] = {"gate": {"rules": [RULE], "soundness": ALL_OFF}}


def test_each_change_of_a_policy_is_stored_as_a_new_version(api: httpx.Client) -> None:
    path = "/v1/policies/detectors"
    first = api.put(path, json=POLICY)
    assert (first.status_code, first.json()["version"]) == (201, 1)
    assert api.put(path, json=POLICY).status_code == 200
    second = api.put(path, json={"gate": {"rules": [STRICT]}, "description": "stricter"})
    assert (second.status_code, second.headers["Location"]) == (201, f"{path}?version=2")
    assert api.get(path).json() == second.json()
    assert api.get(path, params={"version": 1}).json() == first.json()
    assert [each["version"] for each in api.get(f"{path}/versions").json()["items"]] == [2, 1]
    api.put("/v1/policies/others", json=POLICY)
    listed = [(each["name"], each["version"]) for each in api.get("/v1/policies").json()["items"]]
    assert listed == [("detectors", 2), ("others", 1)]


def test_the_versions_of_a_deleted_policy_can_still_be_read(api: httpx.Client) -> None:
    path = "/v1/policies/detectors"
    api.put(path, json=POLICY)
    assert api.delete(path).status_code == 204
    for gone in (api.get(path), api.get(f"{path}/versions"), api.delete(path)):
        assert gone.status_code == 404
        assert gone.json()["type"] == "urn:salience:problem:policy-not-found"
    assert api.get(path, params={"version": 1}).json()["version"] == 1
    assert api.get("/v1/policies").json()["items"] == []
    assert api.put(path, json=POLICY).json()["version"] == 2


JOB = {"images": {"uri": "file:///i"}, "measures": ["entropy"]}
WITH = {"versus": "champion", "value": None, "margin": 0.1}


def of_registry(rule: dict[str, Any], alias: str | None = None) -> dict[str, Any]:
    return {"gate": {"rules": [RULE | rule]}, "job": JOB, "registry": {"models": "m", "baseline_alias": alias}}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "gate"),
    ({"gate": {"rules": []}}, "gate"),
    ({"gate": {"policy": "other"}}, "body"),
    ({"gate": {"rules": [{"measure": "entropy", "op": ">="}]}}, "gate.rules[0]"),
    (POLICY | {"registry": {"models": "detector-*"}}, "body"),
    (POLICY | {"job": {"images": {"uri": "file:///i"}, "measures": ["noise"]}}, "gate.rules[0].measure"),
    (POLICY | {"job": JOB | {"stop": "when-decided", "out_of_set": {"uri": "file:///o"}}}, "job.stop"),
    (POLICY | {"job": JOB | {"model": {"outputs": {"order": [1, 1]}}}}, "job.model.outputs.order"),
    (of_registry(WITH), "gate.rules[0].versus"),
    (of_registry(WITH, "best"), "gate.rules[0].versus"),
    (of_registry({"cohort": "plain"}, "champion"), "gate.rules[0].cohort"),
    (of_registry({}, "candidate"), "registry.baseline_alias"),
]


def test_a_policy_with_impossible_rules_or_an_invalid_name_is_refused(api: httpx.Client) -> None:
    for policy, field in REFUSED:
        answer = api.put("/v1/policies/p", json=policy)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == field
    assert api.put("/v1/policies/p", json=of_registry(WITH, "champion")).status_code == 201
    for name in ("a b", ".hidden", "%00", "x" * 101):
        assert api.put(f"/v1/policies/{name}", json=POLICY).status_code == 422


def test_a_job_is_judged_by_its_own_version_of_a_policy_and_can_be_checked_with_any_other(
    api: httpx.Client, ingredients: AuditInputs, runner: Runner
) -> None:
    api.put("/v1/policies/detectors", json=POLICY)
    job = submit(api, ingredients, measures=["entropy"], gate={"policy": "detectors"})
    assert job["spec"]["gate"] == {"rules": [], "policy": "detectors", "version": 1, "soundness": {}}
    request = {"job": job["id"]}
    assert api.post("/v1/policies/detectors/check", json=request).status_code == 409
    api.put("/v1/policies/detectors", json={"gate": {"rules": [STRICT]}})
    api.delete("/v1/policies/detectors")
    api.put("/v1/policies/stricter", json={"gate": {"rules": [RULE, STRICT], "soundness": ALL_OFF}})
    work_off(runner)
    verdict = api.get(job["links"]["verdict"]).json()
    assert (verdict["outcome"], verdict["policy"]) == ("pass", {"name": "detectors", "version": 1})
    checked = api.post("/v1/policies/stricter/check", json=request).json()
    assert (checked["outcome"], checked["policy"]) == ("fail", {"name": "stricter", "version": 1})
    assert [rule["outcome"] for rule in checked["rules"]] == ["pass", "fail"]
    old = api.post("/v1/policies/detectors/check", json={**request, "version": 1})
    assert old.json() == verdict
    assert api.get(job["links"]["verdict"]).json() == verdict
    assert api.post("/v1/policies/stricter/check", json={"job": "nobody"}).status_code == 404
    assert api.post("/v1/policies/nothing/check", json=request).status_code == 404


def test_a_rule_about_spread_is_judged_only_for_a_job_whose_own_gate_has_the_rule(
    api: httpx.Client, ingredients: AuditInputs, runner: Runner
) -> None:
    rule = {"measure": "entropy", "statistic": "sd", "op": "<=", "value": 1}
    api.put("/v1/policies/even", json={"gate": {"rules": [rule], "soundness": ALL_OFF}})
    small = {"measures": ["entropy"], "images": {"uri": ingredients.images.as_uri()}}
    for gate, outcome in ((None, "error"), ({"policy": "even"}, "pass")):
        job = submit(api, ingredients, **small, gate=gate)
        work_off(runner)
        checked = api.post("/v1/policies/even/check", json={"job": job["id"]}).json()
        assert checked["outcome"] == outcome
        assert ("submit the job again with these rules as its gate" in checked["reason"]) == (outcome == "error")
    progress = api.get(f"/v1/jobs/{job['id']}").json()["progress"]
    assert progress["passes_reused"] > 0 == progress["passes_done"]
