"""Every route, as the OpenAPI document lists them, also those that it does not show: who may ask it, and for what.

A route that is added is tested here with no line changed, unless it has an object of a new kind in its path, or lists
or makes something: then it fails until OBJECTS or OF_ITS_OWN (in others.py) says how.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from service.domain.api_key import Scope
from service.storage import Store
from tests.support.jobs import AuditInputs
from tests.support.routes import Route, name, routes
from tests.support.tenant_objects import OBJECTS, OF_ITS_OWN, Making
from tests.support.tenants import Tenants, tenants

# Who probes or counts has no key, and nothing of any job is told there; what a registry delivers is signed; the files
# of pages and what the interface is are alike for all.
OPEN = {
    ("get", "/healthz"), ("get", "/readyz"), ("get", "/metrics"), ("get", "/static/{file}"),
    ("get", "/docs"), ("post", "/v1/hooks/mlflow"),
}  # fmt: skip


# Parameters that stand for a part of the object before them, each with some value.
PARTS: Mapping[str, str] = {"image": "0"}


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
def test_a_route_gives_nothing_of_one_tenant_to_another(both: Tenants, ingredients: AuditInputs, route: Route) -> None:
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
