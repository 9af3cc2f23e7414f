"""Tests the authorisation of every route, including the routes that the OpenAPI document hides.

A new route is tested without a change here. If its path contains an object of a new kind, or if it lists or creates
objects, the test fails until OBJECTS or OF_ITS_OWN in tests.support.tenant_objects describes it.
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
from tests.support.tenant_objects import OBJECTS, OF_ITS_OWN, TenantObjects
from tests.support.tenants import Tenants, tenants

# The routes that need no key. Health probes and Prometheus have no key, and their routes reveal nothing about a job.
# Static files and the documentation are public. MLflow signs the events that it delivers.
OPEN = {
    ("get", "/healthz"), ("get", "/readyz"), ("get", "/metrics"), ("get", "/static/{file}"),
    ("get", "/docs"), ("post", "/v1/hooks/mlflow"),
}  # fmt: skip


# Path parameters that identify a part of another object, such as an image of a job, each with a valid value.
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


def test_the_openapi_document_describes_api_keys_and_every_route_declares_one_scope(both: Tenants) -> None:
    document = both.anybody.get("/openapi.json").json()
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert {name(each): each.scopes for each in CLOSED if each.scopes not in [[scope] for scope in Scope]} == {}
    assert [name(each) for each in routes() if each.scopes and each not in CLOSED] == []


def test_the_list_of_routes_contains_the_hidden_routes() -> None:
    """This test finds out when a new version of FastAPI breaks the search for hidden routes."""
    assert OPEN | set(OF_ITS_OWN) <= {(each.method, each.path) for each in routes()}


@pytest.mark.parametrize("route", CLOSED, ids=name)
def test_a_route_refuses_requests_whose_key_lacks_its_scope(both: Tenants, route: Route) -> None:
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
def test_a_route_hides_the_objects_of_other_tenants(both: Tenants, ingredients: AuditInputs, route: Route) -> None:
    ours, theirs = TenantObjects(both.ours, ingredients), TenantObjects(both.theirs, ingredients)
    if (route.method, route.path) in OF_ITS_OWN:
        OF_ITS_OWN[route.method, route.path](ours, theirs, route.path)
        return
    assert route.names, "add the route and a check of its isolation to OF_ITS_OWN in tests.support.tenant_objects"
    assert set(route.names) <= {*OBJECTS, *PARTS}, (
        "add the path parameter and a function that creates such an object to OBJECTS"
    )
    objects = {each: OBJECTS[each](ours) if each in OBJECTS else PARTS[each] for each in route.names}
    unknown = {each: _like(made) if each in OBJECTS else made for each, made in objects.items()}
    refused, missing = route.ask(theirs.client, objects), route.ask(theirs.client, unknown)
    assert (refused.status_code, missing.status_code) == (404, 404), refused.text
    assert _without(refused, objects) == _without(missing, unknown), (
        "the response for an object of another tenant differs from that for an unknown object"
    )
    seen = route.ask(ours.client, objects)
    assert seen.status_code not in (401, 403, 404), "the tenant cannot use its own object"


def _like(made: str) -> str:
    """Return an identifier of the same form as `made` that no object has."""
    return made[:-4] + ("0000" if made[-4:] != "0000" else "1111")


def _without(answer: httpx.Response, objects: Mapping[str, str]) -> str:
    """Return the body of a response without the identifiers of the objects."""
    text = json.dumps(answer.json())
    for made in objects.values():
        text = text.replace(made, "")
    return text
