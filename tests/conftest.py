"""What tests ask for by name: real servers, fresh databases, small models and pictures."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from service import embedded, schema
from service.storage import Database, Store
from tests.audits import Ingredients, make_ingredients
from tests.servers import postgres


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with embedded.broker() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/tests.sqlite"
    server: str = request.getfixturevalue("postgres_server")
    name = f"t{uuid4().hex}"
    with psycopg.connect(f"{server}postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return server.replace("postgresql://", "postgresql+psycopg://") + name


@pytest.fixture
def database_url(empty_database: str) -> str:
    """The URL of a database with the newest schema and no rows."""
    database = Database(empty_database)
    schema.upgrade(database.engine)
    database.close()
    return empty_database


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store.open(database_url)
    yield opened
    opened.database.close()


@pytest.fixture(scope="session")
def ingredients(tmp_path_factory: pytest.TempPathFactory) -> Ingredients:
    """Three tiny models and a dozen small pictures in two classes."""
    return make_ingredients(tmp_path_factory.mktemp("ingredients"))
