"""The client does not know what database the service has; one is enough."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def database_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """The URL of a database with the newest schema and no rows."""
    return f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'tests.sqlite')}"
