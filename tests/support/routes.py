"""Lists all routes of the application from its OpenAPI document."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx

from service.main import create_app
from service.settings import ServiceSettings

# Valid query parameters, by path, of the routes that require query parameters.
QUERIES: Mapping[str, Mapping[str, str]] = {}


@dataclass(frozen=True)
class Route:
    """An operation of the OpenAPI document."""

    method: str
    path: str
    document: Mapping[str, Any]

    @property
    def names(self) -> list[str]:
        """The names of the parameters in the path."""
        return [each["name"] for each in self.document.get("parameters", []) if each["in"] == "path"]

    @property
    def scopes(self) -> list[str]:
        """The scopes that the OpenAPI document requires for this route."""
        return [scope for each in self.document.get("security", []) for scope in each["key"]]

    def ask(self, client: httpx.Client, objects: Mapping[str, str], **request: Any) -> httpx.Response:
        """Send a request with these path parameters to the route. A route with a body gets an empty JSON object."""
        body: dict[str, Any] = {"json": {}} if "requestBody" in self.document else {}
        params = QUERIES.get(self.path, {})
        return client.request(self.method, self.path.format(**objects), **{"params": params, **body, **request})


@cache
def routes() -> list[Route]:
    """Return all routes of the application, including those that the OpenAPI document hides."""
    app = create_app(ServiceSettings())
    for each in _routes_of(app.router):
        for holder in (each, getattr(each, "include_context", each)):
            if hasattr(holder, "include_in_schema"):
                holder.include_in_schema = True
    paths = app.openapi()["paths"]
    return [Route(method, path, document) for path, ways in paths.items() for method, document in ways.items()]


def _routes_of(router: Any) -> Iterator[Any]:
    """Yield the routes of a router and of the routers that it includes."""
    for each in router.routes:
        yield each
        inner = getattr(each, "original_router", None)
        if inner is not None:
            yield from _routes_of(inner)


def name(route: Route) -> str:
    return f"{route.method} {route.path}"
