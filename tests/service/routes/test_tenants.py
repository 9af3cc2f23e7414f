"""Every route, as the OpenAPI document lists them, also those that it does not show: who may ask it, and for what.

A route that is added is tested here with no line changed, unless it has an object of a new kind in its path, or lists
or makes something: then it fails until OBJECTS or OF_ITS_OWN (in others.py) says how.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.keys import Scope
from service.main import create_app
from service.settings import ServiceSettings
from service.storage import Store
from tests.audits import Ingredients
from tests.service.routes.others import OBJECTS, OF_ITS_OWN, Making
from tests.tenants import Tenants, tenants

# Who probes or counts has no key, and nothing of any job is told there; what a registry delivers is signed; the files
# of pages and what the interface is are alike for all.
OPEN = {
    ("get", "/healthz"), ("get", "/readyz"), ("get", "/metrics"), ("get", "/static/{file}"),
    ("get", "/docs"), ("post", "/v1/hooks/mlflow"),
}  # fmt: skip


# Parameters that stand for a part of the object before them, each with some value.
PARTS: Mapping[str, str] = {"image": "0"}
# Query parameters that a route cannot do without.
QUERIES: Mapping[str, Mapping[str, str]] = {}


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
        for holder in (each, getattr(each, "include_context", each)):
            if hasattr(holder, "include_in_schema"):
                holder.include_in_schema = True
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


def test_no_route_is_overlooked() -> None:
    """How the hidden ones are found hangs on FastAPI's own objects."""
    assert OPEN | set(OF_ITS_OWN) <= {(each.method, each.path) for each in routes()}


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
