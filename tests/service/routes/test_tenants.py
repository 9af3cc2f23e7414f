"""Every route, as the OpenAPI document lists them, also those that it does not show: who may ask it, and for what.

A route that is added is tested here with no line changed, unless it has an object of a new kind in its path, or lists
or makes something: then it fails until OBJECTS or OF_ITS_OWN says how.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from service.keys import Scope
from service.main import create_app
from service.settings import ServiceSettings
from service.storage import Store
from tests.audits import Ingredients
from tests.tenants import Tenants, tenants

# Who probes or counts has no key, and nothing of any job is told there; what a registry delivers is signed; the files
# of pages are alike for all.
OPEN = {
    ("get", "/healthz"), ("get", "/readyz"), ("get", "/metrics"), ("get", "/static/{file}"),
    ("post", "/v1/hooks/mlflow"),
}  # fmt: skip
GATE = {"gate": {"rules": [{"measure": "entropy", "op": ">=", "value": 0}]}}


@dataclass(frozen=True)
class Making:
    """What a tenant makes an object with."""

    client: httpx.Client
    ingredients: Ingredients

    def job(self) -> str:
        answer = self.client.post("/v1/jobs", json=self.ingredients.body(labels={"for": "ours"}, **GATE))
        return str(answer.raise_for_status().json()["id"])

    def artifact(self) -> str:
        answer = self.client.put("/v1/artifacts", content=uuid4().bytes)
        return str(answer.raise_for_status().json()["sha256"])

    def inspection(self) -> str:
        asked = {"images": {"uri": self.ingredients.pictures.as_uri()}}
        answer = self.client.post("/v1/inspect", params={"wait": 0}, json=asked)
        return str(answer.raise_for_status().json()["id"])

    def policy(self) -> str:
        name = f"p{uuid4().hex}"
        self.client.put(f"/v1/policies/{name}", json=GATE).raise_for_status()
        return name

    def webhook(self) -> str:
        answer = self.client.post("/v1/webhooks", json={"url": "https://receiver.example/ours"})
        return str(answer.raise_for_status().json()["id"])


# How an object is made that a path names, by the parameter's name.
OBJECTS: Mapping[str, Callable[[Making], str]] = {
    "job_id": Making.job,
    "sha256": Making.artifact,
    "inspection": Making.inspection,
    "name": Making.policy,
    "webhook": Making.webhook,
}
# Parameters that stand for a part of the object before them, each with some value.
PARTS: Mapping[str, str] = {"image": "0"}
# Query parameters that a route cannot do without.
QUERIES: Mapping[str, Mapping[str, str]] = {}


def lists_jobs(ours: Making, theirs: Making, path: str) -> None:
    job = ours.job()
    assert job in ours.client.get(path).text
    seen = theirs.client.get(path, params={"label": "for:ours"})
    assert seen.status_code == 200
    assert job not in seen.text


def makes_jobs(ours: Making, theirs: Making, path: str) -> None:
    """Neither an idempotency key nor an artifact is another tenant's."""
    headers, body = {"Idempotency-Key": "the same"}, ours.ingredients.body()
    made = [each.client.post(path, json=body, headers=headers).json()["id"] for each in (ours, theirs, ours)]
    assert made[0] == made[2] != made[1]
    uri = f"artifact:sha256:{ours.artifact()}"
    refused = [each.client.post(path, json={**body, "images": {"uri": uri}}) for each in (theirs, ours)]
    assert "upload it" in refused[0].json()["errors"][0]["detail"]
    assert "upload it" not in refused[1].text


def makes_inspections(ours: Making, theirs: Making, path: str) -> None:
    asked = {"images": {"uri": f"artifact:sha256:{ours.artifact()}"}}
    answers = [each.client.post(path, params={"wait": 0}, json=asked) for each in (theirs, ours)]
    assert [each.status_code for each in answers] == [422, 202]
    assert answers[0].json()["errors"][0]["field"] == "images.uri"


def keeps_artifacts(ours: Making, theirs: Making, path: str) -> None:
    """Of equal bytes nobody learns whether another has them."""
    content = uuid4().bytes
    stores = [each.client.put(path, content=content).status_code for each in (ours, theirs, theirs)]
    assert stores == [201, 201, 200]


def is_everybodys(ours: Making, theirs: Making, path: str) -> None:
    assert ours.client.get(path).text == theirs.client.get(path).text


def lists_policies(ours: Making, theirs: Making, path: str) -> None:
    name = ours.policy()
    assert [name in each.client.get(path).text for each in (ours, theirs)] == [True, False]


def keeps_policies(ours: Making, theirs: Making, path: str) -> None:
    """A name is each tenant's own."""
    name = ours.policy()
    own = {"gate": {"rules": [{"measure": "entropy", "op": "<=", "value": 1}]}}
    answer = theirs.client.put(path.format(name=name), json=own)
    assert (answer.status_code, answer.json()["version"]) == (201, 1)
    assert [each.client.get(path.format(name=name)).text.count("<=") for each in (ours, theirs)] == [0, 1]


def judges_jobs(ours: Making, theirs: Making, path: str) -> None:
    """Neither another's policy nor another's job can be named."""
    job, here, there = ours.job(), ours.policy(), theirs.policy()
    asked = [(theirs, here, 404), (theirs, there, 404), (ours, here, 409)]
    for who, name, status in asked:
        assert who.client.post(path.format(name=name), json={"job": job}).status_code == status


def lists_webhooks(ours: Making, theirs: Making, path: str) -> None:
    webhook = ours.webhook()
    assert [webhook in each.client.get(path).text for each in (ours, theirs)] == [True, False]


def makes_webhooks(ours: Making, theirs: Making, path: str) -> None:
    """Of the end of a job its own tenant's webhooks are told."""
    for who in (ours, theirs):
        webhook, job = who.webhook(), ours.job()
        ours.client.post(f"/v1/jobs/{job}/cancel").raise_for_status()
        assert (job in who.client.get(f"{path}/{webhook}/deliveries").text) is (who is ours)
        who.client.delete(f"{path}/{webhook}").raise_for_status()


def streams_a_list(ours: Making, theirs: Making, path: str) -> None:
    job = ours.job()
    assert [job in _heard(each, path, {"label": "for:ours"}) for each in (ours, theirs)] == [True, False]


def streams_a_job(ours: Making, theirs: Making, path: str) -> None:
    place = path.format(job_id=ours.job())
    assert theirs.client.get(place).status_code == 404
    assert "queued" in _heard(ours, place, {})


def _heard(who: Making, path: str, params: Mapping[str, str]) -> str:
    """What comes of a stream within a second."""
    heard = ""
    with suppress(httpx.ReadTimeout), who.client.stream("GET", path, params=params, timeout=1) as answer:
        for line in answer.iter_lines():
            heard += line
    return heard


def shows_a_form(ours: Making, theirs: Making, path: str) -> None:
    job, own = ours.job(), theirs.job()
    asked = [(theirs, {"from": job}), (theirs, {"from": own, "with": job}), (ours, {"from": job})]
    assert [who.client.get(path, params=params).status_code for who, params in asked] == [404, 404, 200]


def takes_a_form(ours: Making, theirs: Making, path: str) -> None:
    form = {"token": "the same", "spec": json.dumps(ours.ingredients.body())}
    made = [who.client.post(path, data=form).headers["Location"] for who in (ours, theirs, ours)]
    assert made[0] == made[2] != made[1]


def compares_jobs(ours: Making, theirs: Making, path: str) -> None:
    params = {"a": ours.job(), "b": ours.job()}
    assert [each.client.get(path, params=params).status_code for each in (ours, theirs)] == [409, 404]


# What is tested of a route whose path names no object that must be there, or whose body names another.
OF_ITS_OWN: Mapping[tuple[str, str], Callable[[Making, Making, str], None]] = {
    ("get", "/"): lists_jobs,
    ("get", "/new"): shows_a_form,
    ("post", "/new"): takes_a_form,
    ("get", "/compare"): compares_jobs,
    ("get", "/v1/jobs"): lists_jobs,
    ("get", "/v1/jobs/events"): streams_a_list,
    ("get", "/v1/jobs/{job_id}/events"): streams_a_job,
    ("post", "/v1/jobs"): makes_jobs,
    ("post", "/v1/inspect"): makes_inspections,
    ("put", "/v1/artifacts"): keeps_artifacts,
    ("get", "/v1/measures"): is_everybodys,
    ("get", "/v1/methods"): is_everybodys,
    ("get", "/v1/policies"): lists_policies,
    ("put", "/v1/policies/{name}"): keeps_policies,
    ("post", "/v1/policies/{name}/check"): judges_jobs,
    ("get", "/v1/webhooks"): lists_webhooks,
    ("post", "/v1/webhooks"): makes_webhooks,
}


@dataclass(frozen=True)
class Route:
    """An operation of the OpenAPI document."""

    method: str
    path: str
    document: Mapping[str, Any]

    @property
    def names(self) -> list[str]:
        """The parameters in its path."""
        return [each["name"] for each in self.document.get("parameters", []) if each["in"] == "path"]

    @property
    def scopes(self) -> list[str]:
        """What a key must be for."""
        return [scope for each in self.document.get("security", []) for scope in each["key"]]

    def ask(self, client: httpx.Client, objects: Mapping[str, str], **request: Any) -> httpx.Response:
        """Ask the route for these objects, with a body that says little where it takes one."""
        body: dict[str, Any] = {"json": {}} if "requestBody" in self.document else {}
        params = QUERIES.get(self.path, {})
        return client.request(self.method, self.path.format(**objects), **{"params": params, **body, **request})


@cache
def routes() -> list[Route]:
    """All of the application's, in the order of the document."""
    app = create_app(ServiceSettings())
    for each in _routes_of(app.router):
        if hasattr(each, "include_in_schema"):
            each.include_in_schema = True
    paths = app.openapi()["paths"]
    return [Route(method, path, document) for path, ways in paths.items() for method, document in ways.items()]


def _routes_of(router: Any) -> Iterator[Any]:
    """A router's routes, those of routers that it includes among them."""
    for each in router.routes:
        yield each
        inner = getattr(each, "original_router", None)
        if inner is not None:
            yield from _routes_of(inner)


def name(route: Route) -> str:
    return f"{route.method} {route.path}"


@pytest.fixture(scope="module")
def both(migrated_sqlite: Path, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    folder = tmp_path_factory.mktemp("tenants")
    copied = folder / "tenants.sqlite"
    copied.write_bytes(migrated_sqlite.read_bytes())
    store = Store.open(f"sqlite:///{copied}")
    with tenants(store, folder, broker_url=redis_url) as served:
        yield served
    store.database.close()


CLOSED = [each for each in routes() if (each.method, each.path) not in OPEN]


def test_the_document_shows_the_keys_and_every_route_declares_one_scope(both: Tenants) -> None:
    document = both.anybody.get("/openapi.json").json()
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert {name(each): each.scopes for each in CLOSED if each.scopes not in [[scope] for scope in Scope]} == {}
    assert [name(each) for each in routes() if each.scopes and each not in CLOSED] == []


@pytest.mark.parametrize("route", CLOSED, ids=name)
def test_a_route_lets_nobody_in_without_a_key_of_its_scope(both: Tenants, route: Route) -> None:
    objects = dict.fromkeys(route.names, "1" * 64)
    answer = route.ask(both.anybody, objects)
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="salience"'
    assert route.ask(both.anybody, objects, headers={"Authorization": "Bearer wrong"}).status_code == 401
    below = list(Scope)[: list(Scope).index(Scope(route.scopes[0]))]
    for scope in below:
        refused = route.ask(both.anybody, objects, headers={"Authorization": both.holder(scope)})
        assert refused.status_code == 403
        assert f'scope="{route.scopes[0]}"' in refused.headers["WWW-Authenticate"]


@pytest.mark.parametrize("route", CLOSED, ids=name)
def test_a_route_gives_nothing_of_one_tenant_to_another(both: Tenants, ingredients: Ingredients, route: Route) -> None:
    ours, theirs = Making(both.ours, ingredients), Making(both.theirs, ingredients)
    if (route.method, route.path) in OF_ITS_OWN:
        OF_ITS_OWN[route.method, route.path](ours, theirs, route.path)
        return
    assert route.names, "say in OF_ITS_OWN what must hold of it"
    assert set(route.names) <= {*OBJECTS, *PARTS}, "say in OBJECTS how such an object is made"
    objects = {each: OBJECTS[each](ours) if each in OBJECTS else PARTS[each] for each in route.names}
    unknown = {each: _like(made) if each in OBJECTS else made for each, made in objects.items()}
    refused, absent = route.ask(theirs.client, objects), route.ask(theirs.client, unknown)
    assert (refused.status_code, absent.status_code) == (404, 404), refused.text
    assert _without(refused, objects) == _without(absent, unknown), "nothing tells what is another's from what is not"
    seen = route.ask(ours.client, objects)
    assert seen.status_code not in (401, 403, 404), "it is there for its own tenant"


def _like(made: str) -> str:
    """Something of that form which is not there."""
    return made[:-4] + ("0000" if made[-4:] != "0000" else "1111")


def _without(answer: httpx.Response, objects: Mapping[str, str]) -> str:
    """An answer's body without the names of what was asked for."""
    text = json.dumps(answer.json())
    for made in objects.values():
        text = text.replace(made, "")
    return text
