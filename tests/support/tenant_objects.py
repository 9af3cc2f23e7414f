"""Creates objects as a tenant, and checks that routes that list or create objects keep tenants apart."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from uuid import uuid4

import httpx

from tests.support.jobs import AuditInputs

GATE = {"gate": {"rules": [{"measure": "entropy", "op": ">=", "value": 0}]}}


@dataclass(frozen=True)
class TenantObjects:
    """Creates objects with the client of a tenant. Each method returns the identifier of a new object."""

    client: httpx.Client
    ingredients: AuditInputs

    def job(self) -> str:
        answer = self.client.post("/v1/jobs", json=self.ingredients.body(labels={"for": "ours"}, **GATE))
        return str(answer.raise_for_status().json()["id"])

    def artifact(self) -> str:
        answer = self.client.put("/v1/artifacts", content=uuid4().bytes)
        return str(answer.raise_for_status().json()["sha256"])

    def inspection(self) -> str:
        request = {"images": {"uri": self.ingredients.images.as_uri()}}
        answer = self.client.post("/v1/inspect", params={"wait": 0}, json=request)
        return str(answer.raise_for_status().json()["id"])

    def policy(self) -> str:
        name = f"p{uuid4().hex}"
        self.client.put(f"/v1/policies/{name}", json=GATE).raise_for_status()
        return name

    def webhook(self) -> str:
        answer = self.client.post("/v1/webhooks", json={"url": "https://receiver.example/ours"})
        return str(answer.raise_for_status().json()["id"])


# By the name of a path parameter: the function that creates an object which the parameter can identify.
OBJECTS: Mapping[str, Callable[[TenantObjects], str]] = {
    "job_id": TenantObjects.job,
    "sha256": TenantObjects.artifact,
    "inspection": TenantObjects.inspection,
    "name": TenantObjects.policy,
    "webhook": TenantObjects.webhook,
}


def lists_jobs(ours: TenantObjects, theirs: TenantObjects, path: str) -> None:
    job = ours.job()
    assert job in ours.client.get(path).text
    seen = theirs.client.get(path, params={"label": "for:ours"})
    assert seen.status_code == 200
    assert job not in seen.text


def creates_jobs(ours: TenantObjects, theirs: TenantObjects, path: str) -> None:
    """Check that a tenant can use neither the idempotency keys nor the artifacts of another tenant."""
    headers, body = {"Idempotency-Key": "the same"}, ours.ingredients.body()
    made = [each.client.post(path, json=body, headers=headers).json()["id"] for each in (ours, theirs, ours)]
    assert made[0] == made[2] != made[1]
    uri = f"artifact:sha256:{ours.artifact()}"
    refused = [each.client.post(path, json={**body, "images": {"uri": uri}}) for each in (theirs, ours)]
    assert "upload it" in refused[0].json()["errors"][0]["detail"]
    assert "upload it" not in refused[1].text


def creates_inspections(ours: TenantObjects, theirs: TenantObjects, path: str) -> None:
    request = {"images": {"uri": f"artifact:sha256:{ours.artifact()}"}}
    answers = [each.client.post(path, params={"wait": 0}, json=request) for each in (theirs, ours)]
    assert [each.status_code for each in answers] == [422, 202]
    assert answers[0].json()["errors"][0]["field"] == "images.uri"


def stores_artifacts(ours: TenantObjects, theirs: TenantObjects, path: str) -> None:
    """Check that a tenant does not learn that another tenant has uploaded the same bytes."""
    content = uuid4().bytes
    stores = [each.client.put(path, content=content).status_code for each in (ours, theirs, theirs)]
    assert stores == [201, 201, 200]


def is_the_same_for_all_tenants(ours: TenantObjects, theirs: TenantObjects, path: str) -> None:
    assert ours.client.get(path).text == theirs.client.get(path).text


def lists_policies(ours: TenantObjects, theirs: TenantObjects, path: str) -> None:
    name = ours.policy()
    assert [name in each.client.get(path).text for each in (ours, theirs)] == [True, False]


def stores_policies(ours: TenantObjects, theirs: TenantObjects, path: str) -> None:
    """Check that two tenants can use the same name for different policies."""
    name = ours.policy()
    own = {"gate": {"rules": [{"measure": "entropy", "op": "<=", "value": 1}]}}
    answer = theirs.client.put(path.format(name=name), json=own)
    assert (answer.status_code, answer.json()["version"]) == (201, 1)
    assert [each.client.get(path.format(name=name)).text.count("<=") for each in (ours, theirs)] == [0, 1]


def judges_jobs(ours: TenantObjects, theirs: TenantObjects, path: str) -> None:
    """Check that a tenant can use neither the policies nor the jobs of another tenant."""
    job, here, there = ours.job(), ours.policy(), theirs.policy()
    request = [(theirs, here, 404), (theirs, there, 404), (ours, here, 409)]
    for who, name, status in request:
        assert who.client.post(path.format(name=name), json={"job": job}).status_code == status


def lists_webhooks(ours: TenantObjects, theirs: TenantObjects, path: str) -> None:
    webhook = ours.webhook()
    assert [webhook in each.client.get(path).text for each in (ours, theirs)] == [True, False]


def creates_webhooks(ours: TenantObjects, theirs: TenantObjects, path: str) -> None:
    """Check that only webhooks of a job's own tenant get a message when the job ends."""
    for who in (ours, theirs):
        webhook, job = who.webhook(), ours.job()
        ours.client.post(f"/v1/jobs/{job}/cancel").raise_for_status()
        assert (job in who.client.get(f"{path}/{webhook}/deliveries").text) is (who is ours)
        who.client.delete(f"{path}/{webhook}").raise_for_status()


def streams_a_list(ours: TenantObjects, theirs: TenantObjects, path: str) -> None:
    job = ours.job()
    assert [job in _read_stream(each, path, {"label": "for:ours"}) for each in (ours, theirs)] == [True, False]


def streams_a_job(ours: TenantObjects, theirs: TenantObjects, path: str) -> None:
    place = path.format(job_id=ours.job())
    assert theirs.client.get(place).status_code == 404
    assert "queued" in _read_stream(ours, place, {})


def _read_stream(who: TenantObjects, path: str, params: Mapping[str, str]) -> str:
    """Return the text that an event stream sends within a second."""
    text = ""
    with suppress(httpx.ReadTimeout), who.client.stream("GET", path, params=params, timeout=1) as answer:
        for line in answer.iter_lines():
            text += line
    return text


def shows_a_form(ours: TenantObjects, theirs: TenantObjects, path: str) -> None:
    job, own = ours.job(), theirs.job()
    request = [(theirs, {"from": job}), (theirs, {"from": own, "with": job}), (ours, {"from": job})]
    assert [who.client.get(path, params=params).status_code for who, params in request] == [404, 404, 200]


def takes_a_form(ours: TenantObjects, theirs: TenantObjects, path: str) -> None:
    form = {"token": "the same", "spec": json.dumps(ours.ingredients.body())}
    made = [who.client.post(path, data=form).headers["Location"] for who in (ours, theirs, ours)]
    assert made[0] == made[2] != made[1]


def compares_jobs(ours: TenantObjects, theirs: TenantObjects, path: str) -> None:
    params = {"a": ours.job(), "b": ours.job()}
    assert [each.client.get(path, params=params).status_code for each in (ours, theirs)] == [409, 404]


# The checks of routes whose path names no existing object, or whose body names an object.
OF_ITS_OWN: Mapping[tuple[str, str], Callable[[TenantObjects, TenantObjects, str], None]] = {
    ("get", "/"): lists_jobs,
    ("get", "/new"): shows_a_form,
    ("post", "/new"): takes_a_form,
    ("get", "/compare"): compares_jobs,
    ("get", "/v1/jobs"): lists_jobs,
    ("get", "/v1/jobs/events"): streams_a_list,
    ("get", "/v1/jobs/{job_id}/events"): streams_a_job,
    ("post", "/v1/jobs"): creates_jobs,
    ("post", "/v1/inspect"): creates_inspections,
    ("put", "/v1/artifacts"): stores_artifacts,
    ("get", "/v1/measures"): is_the_same_for_all_tenants,
    ("get", "/v1/methods"): is_the_same_for_all_tenants,
    ("get", "/v1/policies"): lists_policies,
    ("put", "/v1/policies/{name}"): stores_policies,
    ("post", "/v1/policies/{name}/check"): judges_jobs,
    ("get", "/v1/webhooks"): lists_webhooks,
    ("post", "/v1/webhooks"): creates_webhooks,
}
