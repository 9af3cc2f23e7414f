"""Keys in the database: made, found by their digest, revoked. Nothing of them is remembered between two requests."""

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Row, select, text, update

from service.access_tables import KeyRow
from service.errors import DatabaseReadOnly, KeyNotFound
from service.keys import Key, Scope, digest_of, new_secret
from service.storage.database import Database

ANY = text("SELECT prefix FROM api_keys LIMIT 1")
HELD = text("SELECT * FROM api_keys WHERE sha256 = :sha256")
KNOWN_AS = text("SELECT * FROM api_keys WHERE prefix = :prefix")
USE_SECONDS = 60.0  # how exactly the last use is known, so that not every request writes


class KeyStore:
    """What is kept of keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, tenant: str, scope: Scope, expires_at: float | None = None) -> tuple[Key, str]:
        """Make a key. Returns it, and the secret, which is not kept."""
        prefix, secret = new_secret()
        row = KeyRow(
            prefix=prefix, name=name, tenant=tenant, scope=scope, sha256=digest_of(secret),
            created_at=time.time(), expires_at=expires_at,
        )  # fmt: skip
        with self._database.write() as session:
            session.add(row)
        return _to_key(row), secret

    def list(self) -> Sequence[Key]:
        """All of them, the oldest first, revoked ones too."""
        with self._database.read() as session:
            return [_to_key(row) for row in session.scalars(select(KeyRow).order_by(KeyRow.created_at))]

    def any(self) -> bool:
        """Whether a key was ever made."""
        return self._database.look_up(ANY) is not None

    def find(self, secret: str) -> Key | None:
        """The key that this secret is, good or not; None where there is none. Notes its use."""
        row = self._database.look_up(HELD, {"sha256": digest_of(secret)})
        found, now = _to_key(row) if row is not None else None, time.time()
        if found is not None and found.is_good(now) and (found.used_at or 0.0) < now - USE_SECONDS:
            with suppress(DatabaseReadOnly), self._database.write() as session:
                session.execute(update(KeyRow).where(KeyRow.prefix == found.prefix).values(used_at=now))
        return found

    def known_as(self, prefix: str) -> Key | None:
        """The key of that prefix, good or not; None where there is none."""
        row = self._database.look_up(KNOWN_AS, {"prefix": prefix})
        return _to_key(row) if row is not None else None

    def revoke(self, prefix: str) -> Key:
        """End a key, now. Raises KeyNotFound."""
        with self._database.write() as session:
            row = session.get(KeyRow, prefix, with_for_update=True)
            if row is None:
                raise KeyNotFound(prefix=prefix)
            row.revoked_at = row.revoked_at or time.time()
            return _to_key(row)


def _to_key(row: KeyRow | Row[Any]) -> Key:
    return Key(
        row.prefix, row.name, row.tenant, Scope(row.scope), row.created_at, row.expires_at, row.used_at, row.revoked_at
    )
