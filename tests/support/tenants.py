"""Serves an API with authentication and two tenants."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from service.domain.api_key import Scope
from service.main import create_app
from service.settings import ServiceSettings
from service.storage import Store
from tests.support.servers import serving

OURS, THEIRS = "ours", "theirs"


@dataclass(frozen=True)
class Tenants:
    """A client of the API with an admin key for each of two tenants, and a client without a key."""

    app: FastAPI
    store: Store
    ours: httpx.Client
    theirs: httpx.Client
    anybody: httpx.Client

    def holder(self, scope: Scope, tenant: str = OURS) -> str:
        """Create a key with this scope. Returns the Authorization header that contains the key."""
        return f"Bearer {self.store.keys.create('test', tenant, scope)[1]}"


@contextmanager
def tenants(store: Store, folder: Path, **settings: Any) -> Iterator[Tenants]:
    """Serve an API for two tenants on the database of a store. Yields the clients."""
    url = store.database.url.render_as_string(hide_password=False)
    given = {"data_dir": folder, "database_url": url, "allowed_roots": (Path("/"),), "secret_keys": ("k" * 40,)}
    app = create_app(ServiceSettings(**{**given, **settings}))
    with ExitStack() as stack:
        base = stack.enter_context(serving(app))

        def client(tenant: str | None) -> httpx.Client:
            headers = {}
            if tenant is not None:
                headers["Authorization"] = f"Bearer {store.keys.create('test', tenant, Scope.ADMIN)[1]}"
            return stack.enter_context(httpx.Client(base_url=base, headers=headers, timeout=30))

        yield Tenants(app, store, client(OURS), client(THEIRS), client(None))
