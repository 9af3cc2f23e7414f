"""API keys in the database: create, find by digest, revoke. Keys are not cached, so revocation takes effect at once."""

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Row, select, text, update

from service.domain.api_key import ApiKey, Scope, hash_key, new_secret
from service.errors import ApiKeyNotFound, DatabaseReadOnly
from service.storage.database import Database
from service.storage.tables.auth import KeyRow

ANY_KEY = text("SELECT prefix FROM api_keys LIMIT 1")
KEY_BY_DIGEST = text("SELECT * FROM api_keys WHERE sha256 = :sha256")
KEY_BY_PREFIX = text("SELECT * FROM api_keys WHERE prefix = :prefix")
USE_SECONDS = 60.0  # precision of the time of last use, so that not every request writes to the database


class ApiKeyStore:
    """Stores API keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, tenant: str, scope: Scope, expires_at: float | None = None) -> tuple[ApiKey, str]:
        """Create a key. Returns the key and its secret, which is not stored."""
        prefix, secret = new_secret()
        row = KeyRow(
            prefix=prefix, name=name, tenant=tenant, scope=scope, sha256=hash_key(secret),
            created_at=time.time(), expires_at=expires_at,
        )  # fmt: skip
        with self._database.write() as session:
            session.add(row)
        return _to_key(row), secret

    def list(self) -> Sequence[ApiKey]:
        """Return all keys, oldest first, including revoked keys."""
        with self._database.read() as session:
            return [_to_key(row) for row in session.scalars(select(KeyRow).order_by(KeyRow.created_at))]

    def has_any(self) -> bool:
        """Whether any key exists, including revoked keys."""
        return self._database.fetch_one(ANY_KEY) is not None

    def find(self, secret: str) -> ApiKey | None:
        """Return the key with this secret, valid or not, and store the time of its use; None if there is none."""
        row = self._database.fetch_one(KEY_BY_DIGEST, {"sha256": hash_key(secret)})
        found, now = _to_key(row) if row is not None else None, time.time()
        if found is not None and found.is_valid(now) and (found.used_at or 0.0) < now - USE_SECONDS:
            with suppress(DatabaseReadOnly), self._database.write() as session:
                session.execute(update(KeyRow).where(KeyRow.prefix == found.prefix).values(used_at=now))
        return found

    def find_by_prefix(self, prefix: str) -> ApiKey | None:
        """Return the key with this prefix, valid or not; None if there is none."""
        row = self._database.fetch_one(KEY_BY_PREFIX, {"prefix": prefix})
        return _to_key(row) if row is not None else None

    def revoke(self, prefix: str) -> ApiKey:
        """Revoke a key at once. Raises ApiKeyNotFound."""
        with self._database.write() as session:
            row = session.get(KeyRow, prefix, with_for_update=True)
            if row is None:
                raise ApiKeyNotFound(prefix=prefix)
            row.revoked_at = row.revoked_at or time.time()
            return _to_key(row)


def _to_key(row: KeyRow | Row[Any]) -> ApiKey:
    return ApiKey(
        row.prefix, row.name, row.tenant, Scope(row.scope), row.created_at, row.expires_at, row.used_at, row.revoked_at
    )
