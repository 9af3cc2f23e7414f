from typing import Any

import httpx

from tests.support.api import submit, work_off
from tests.support.jobs import AuditInputs
from tests.support.soundness import ALL_OFF
from worker.runner import Runner

RULE: dict[str, Any] = {"measure": "entropy", "op": ">=", "value": 0.0}
TWO = ("a", "b")


def gate(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"rules": [RULE | each for each in rules], "soundness": ALL_OFF}


def test_the_job_its_results_and_the_verdict_route_return_the_same_verdict(
    api: httpx.Client, ingredients: AuditInputs, runner: Runner
) -> None:
    cohorts = [ingredients.cohort("a", 0, 1, 2), ingredients.cohort("b", 1, 2, 0)]
    request = gate(
        {"cohort": "a"},
        {"cohort": "a", "measure": "noise.parts.0.1", "statistic": "pearson", "value": -1.0},
        {"cohort": "b", "measure": "strata.class.synthetic.geometry", "op": "<=", "value": 1.0},
        {"cohort": "a", "measure": "stability", "value": None, "versus": "b", "margin": 3.0},
        {"cohort": "a", "measure": "strata.class.real.entropy", "value": None, "versus": "b", "margin": 2.0},
        {"cohort": "b", "measure": "accuracy", "value": None, "versus": "a", "margin": 1.5},
        {"cohort": "b", "measure": "noise.parts.0.5", "statistic": "mse", "value": None, "versus": "a", "margin": 2},
    )
    request["rules"] += [
        RULE | {"cohort": "a", "measure": "entropy.q05", "value": -1.0},
        RULE | {"cohort": "b", "measure": "strata.class.real.noise", "statistic": "q75", "value": -1.0},
        RULE | {"cohort": "b", "measure": "geometry.parts.hflip", "statistic": "sd"},
    ]
    job = submit(api, ingredients, cohorts=cohorts, gate=request)
    assert job["verdict"] is None
    early = api.get(job["links"]["verdict"])
    assert (early.status_code, early.json()["type"]) == (409, "urn:salience:problem:job-not-finished")
    work_off(runner)
    verdict = api.get(job["links"]["verdict"]).json()
    assert (verdict["outcome"], verdict["images"], verdict["policy"]) == ("pass", 12, None), verdict
    assert all(rule["interval"][0] <= rule["number"] <= rule["interval"][1] for rule in verdict["rules"])
    assert [rule["cohort"] for rule in verdict["rules"]] == list("aabaabbabb")
    assert api.get(job["links"]["self"]).json()["verdict"] == verdict
    assert api.get(job["links"]["results"]).json()["verdict"] == verdict


def test_a_rule_about_a_class_that_no_image_has_makes_the_verdict_an_error(
    api: httpx.Client, ingredients: AuditInputs, runner: Runner
) -> None:
    job = submit(api, ingredients, measures=["entropy"], gate=gate({}, {"measure": "strata.class.cat.entropy"}))
    work_off(runner)
    verdict = api.get(job["links"]["verdict"]).json()
    assert [rule["outcome"] for rule in verdict["rules"]] == ["pass", "error"]
    assert verdict["outcome"] == "error"
    assert "strata.class.cat.entropy" in verdict["reason"]


def test_a_job_without_results_does_not_pass_its_gate(api: httpx.Client, ingredients: AuditInputs) -> None:
    job = submit(api, ingredients, gate=gate({}))
    api.post(job["links"]["cancel"])
    assert api.get(job["links"]["self"]).json()["verdict"]["outcome"] == "error"
    assert "cancelled" in api.get(job["links"]["verdict"]).json()["reason"]


def test_a_job_without_a_gate_has_no_verdict(api: httpx.Client, ingredients: AuditInputs) -> None:
    job = submit(api, ingredients)
    answer = api.get(job["links"]["verdict"])
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:salience:problem:verdict-not-found")


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"gate": gate({"measure": "beauty"})}, "gate.rules[0].measure", "no beauty"),
    ({"gate": gate({}, {"measure": "human"})}, "gate.rules[1].measure", "the job's measures are"),
    ({"gate": gate({"measure": "noise.parts.0.2"})}, "gate.rules[0].measure", "0.2"),
    ({"gate": gate({"measure": "stability"})}, "gate.rules[0].measure", "needs 3 runs"),
    ({"gate": gate({"measure": "strata.class.x.stability"})}, "gate.rules[0].measure", "needs 3 runs"),
    ({"gate": gate({"measure": "accuracy", "statistic": "sd"})}, "gate.rules[0].statistic", "a single number"),
    ({"gate": gate({"statistic": "q05"}), "stop": "when-decided"}, "gate.rules[0].statistic", "judges means only"),
    ({"gate": gate({"measure": "noise.parts"})}, "gate.rules[0].measure", "not a single number"),
    ({"gate": gate({"measure": "strata.class.x.human"})}, "gate.rules[0].measure", "human"),
    ({"gate": gate({"measure": "out_of_set.entropy.difference"})}, "gate.rules[0].measure", "out_of_set"),
    ({"gate": gate({"statistic": "pearson"})}, "gate.rules[0].statistic", "it has mean"),
    ({"gate": gate({"cohort": "z"})}, "gate.rules[0].cohort", "name one of plain"),
    ({"gate": gate({"value": None, "versus": "z", "margin": 0})}, "gate.rules[0].versus", "name one of plain"),
    (
        {"gate": gate({"cohort": "plain", "value": None, "versus": "plain", "margin": 0})},
        "gate.rules[0].versus",
        "the cohort of the rule itself",
    ),
    ({"gate": {"policy": "nothing"}}, "gate.policy", "no policy nothing"),
    ({"gate": {"policy": "nothing", "version": 3}}, "gate.policy", "version 3"),
    ({"gate": {"rules": [{"measure": "entropy", "op": ">", "value": 0}]}}, "gate.rules[0].op", "'>='"),
    ({"baseline": {"job": "nobody"}}, "baseline.job", "no job nobody"),
]


def test_an_invalid_gate_is_refused_with_the_name_of_the_invalid_field(
    api: httpx.Client, ingredients: AuditInputs
) -> None:
    for changes, field, message in REFUSED:
        answer = api.post("/v1/jobs", json=ingredients.body(**changes))
        assert answer.status_code == 422, answer.text
        assert [each["field"] for each in answer.json()["errors"]] == [field]
        assert message in answer.json()["errors"][0]["detail"]


def test_a_rule_must_name_its_cohort_if_a_job_has_several_cohorts(api: httpx.Client, ingredients: AuditInputs) -> None:
    cohorts = [ingredients.cohort(name, 0, 1) for name in (*TWO, "c")]
    for rule in ({}, {"value": None, "versus": "a", "margin": 0.1}):
        answer = api.post("/v1/jobs", json=ingredients.body(cohorts=cohorts, gate=gate(rule)))
        assert [each["field"] for each in answer.json()["errors"]] == ["gate.rules[0].cohort"]


def test_a_job_is_refused_if_its_policy_has_a_rule_on_a_measure_that_the_job_lacks(
    api: httpx.Client, ingredients: AuditInputs
) -> None:
    api.put("/v1/policies/p", json={"gate": gate({"measure": "human"})})
    answer = api.post("/v1/jobs", json=ingredients.body(gate={"policy": "p"}))
    (problem,) = answer.json()["errors"]
    assert problem["field"] == "gate.policy"
    assert "rules[0].measure of version 1" in problem["detail"]
