"""Fixtures for the client. SQLite is enough, since the client does not depend on the database."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def database_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """The URL of an empty database with the newest schema."""
    return f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'tests.sqlite')}"
