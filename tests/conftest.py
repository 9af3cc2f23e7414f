"""Fixtures for all tests: real servers, empty databases, small models and images."""

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import psycopg
import pytest
import torch

from service.artifacts.store import ArtifactStore
from service.main import create_app
from service.net.allowed_hosts import AllowedHosts
from service.queue import embedded
from service.settings import ServiceSettings
from service.storage import Database, Store
from service.storage import migrate as schema
from tests.support.jobs import AuditInputs, make_audit_inputs
from tests.support.mlflow_server import mlflow_server
from tests.support.servers import postgres, serving
from worker.context import WorkerContext
from worker.inputs.cache import FileCache
from worker.inputs.resolver import InputResolver
from worker.inputs.web import WebClient
from worker.runner import Runner

if TYPE_CHECKING:
    from xdist.scheduler import LoadFileScheduling

# The models are so small that several threads would only wait for each other on a busy machine.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)
# The tests and the libraries stay in memory; at the default, searches for garbage take a fifth of the collection.
gc.set_threshold(100_000, 50, 100)

HERE = ("127.0.0.1",)  # the address on which all servers of the tests listen
# These files start services, workers or other servers many times, or audit with large models; the longest come first.
LONG_FILES = (
    "tests/test_end_to_end.py", "tests/faults/test_shutdown.py", "tests/faults/test_random_kills.py",
    "tests/fuzz/test_contract.py", "tests/browser/test_pages.py", "tests/test_docs.py",
    "tests/service/integrations/mlflow/test_sync.py", "tests/worker/inputs/test_mlflow.py",
    "tests/worker/test_reproducibility.py", "tests/worker/planning/test_interrupted_plans.py",
    "tests/service/test_cli.py", "tests/test_patterns.py", "tests/test_pipelines.py", "tests/faults/test_rabbitmq.py",
    "tests/test_readme.py", "tests/worker/audit/test_cache.py",
)  # fmt: skip
MLFLOW_FILES = ("mlflow/test_sync.py", "inputs/test_mlflow.py")
ROOT = Path(__file__).parents[1]
SHARED_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # a folder in memory


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the test files that take longest first, so that parallel processes finish at about the same time."""
    places = {name: place for place, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: places.get(item.path.relative_to(ROOT).as_posix(), len(places)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> "LoadFileScheduling":
    """Run all tests of a file in one process, and all tests that use MLflow in one, so that MLflow starts only once."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return "mlflow" if file.endswith(MLFLOW_FILES) else file

    return Scheduling(config, log)


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
        return f"sqlite:///{tmp_path}/empty.sqlite"
    return create_database(request.getfixturevalue("postgres_server"))


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a database with the newest schema and no rows."""
    if request.param == "sqlite":
        sqlite: str = request.getfixturevalue("sqlite_url")
        return sqlite
    postgres: str = request.getfixturevalue("migrated_postgres")
    empty_tables(postgres)
    return postgres


@pytest.fixture
def sqlite_url(migrated_sqlite: Path) -> Iterator[str]:
    """The URL of a SQLite database with the newest schema and no rows.

    It is stored in memory if the system has /dev/shm: on a disk each commit takes 5 ms.
    """
    with tempfile.TemporaryDirectory(prefix="salience-", dir=SHARED_MEMORY) as folder:
        yield f"sqlite:///{shutil.copy(migrated_sqlite, folder)}"


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "migrated.sqlite"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: str) -> str:
    url = create_database(postgres_server)
    migrate(url)
    return url


@pytest.fixture(scope="session")
def mlflow_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as url:
        yield url


def create_database(server: str) -> str:
    """Create a database in a Postgres. Returns its URL."""
    name = f"t{uuid4().hex}"
    with psycopg.connect(f"{server}postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return server.replace("postgresql://", "postgresql+psycopg://") + name


def empty_tables(url: str) -> None:
    """Delete all rows of a Postgres database, and start its sequences at 1 again.

    On small tables, DELETE takes a third of the time of TRUNCATE. With triggers off, the order of the tables is free.
    """
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        sequences = connection.execute("SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'").fetchall()
        statements = ["SET session_replication_role = replica"]
        statements += [f"DELETE FROM {table}" for (table,) in tables if table != "alembic_version"]
        statements += [f"SELECT setval('{sequence}', 1, false)" for (sequence,) in sequences]
        connection.execute("; ".join(statements).encode())


def migrate(url: str) -> None:
    database = Database(url)
    schema.upgrade(database.engine)
    database.close()


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store.open(database_url)
    yield opened
    opened.database.close()


@pytest.fixture(scope="session")
def ingredients(tmp_path_factory: pytest.TempPathFactory) -> AuditInputs:
    """Three tiny models and twelve small images in two classes."""
    return make_audit_inputs(tmp_path_factory.mktemp("ingredients"))


@pytest.fixture
def api(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[httpx.Client]:
    """The HTTP API without a worker, on an empty database and a real broker."""
    settings = ServiceSettings(
        data_dir=tmp_path, database_url=database_url, broker_url=redis_url, allowed_roots=(Path("/"),),
        allowed_hosts=HERE,
    )  # fmt: skip
    with serving(create_app(settings)) as url, httpx.Client(base_url=url) as client:
        yield client


@pytest.fixture
def places(tmp_path: Path) -> InputResolver:
    """A resolver that may read every file and reach loopback; its artifacts and cache are in the test's folder."""
    web = WebClient(AllowedHosts.parse(HERE))
    return InputResolver((Path("/"),), ArtifactStore(str(tmp_path / "artifacts")), FileCache(tmp_path / "cache"), web)


@pytest.fixture
def runner(store: Store, places: InputResolver) -> Runner:
    """A worker without a broker, on the database of the fixture `store`."""
    means = WorkerContext.create(torch.device("cpu"), places, 4)
    return Runner(store, means, "tests", lease_seconds=30, notify=lambda _: None)
