"""Fixtures for the tests of the client. They use SQLite alone, since the client does not depend on the database."""

import pytest


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """The URL of a database with the newest schema and no rows."""
    return sqlite_url
