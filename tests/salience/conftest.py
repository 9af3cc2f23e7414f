"""Fixtures for the client. SQLite is enough, since the client does not depend on the database."""

import pytest


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """The URL of a database with the newest schema and no rows."""
    return sqlite_url
