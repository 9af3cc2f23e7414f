import pytest
from sqlalchemy import select, update

from service.domain.api_key import Scope
from service.errors import ApiKeyNotFound
from service.storage import Store
from service.storage.tables.auth import KeyRow


def test_only_the_digest_of_a_key_is_stored_and_the_key_is_found_by_its_secret(store: Store) -> None:
    assert not store.keys.has_any()
    made, secret = store.keys.create("ci", "forensics", Scope.SUBMIT)
    with store.database.read() as session:
        (row,) = session.scalars(select(KeyRow))
        stored = {name: getattr(row, name) for name in KeyRow.__table__.columns.keys()}  # noqa: SIM118  # columns is not a mapping
    assert secret.removeprefix(made.prefix) not in str(stored)
    found = store.keys.find(secret)
    assert found is not None
    assert (found.prefix, found.tenant, found.scope) == (made.prefix, "forensics", Scope.SUBMIT)
    assert store.keys.find(secret[:-1]) is None
    assert store.keys.find(made.prefix) is None


def test_the_last_use_is_written_at_most_once_a_minute(store: Store) -> None:
    _, secret = store.keys.create("ci", "", Scope.READ)
    store.keys.find(secret)
    (first,) = store.keys.list()
    assert first.used_at is not None
    store.keys.find(secret)
    assert store.keys.list() == [first]
    with store.database.write() as session:
        session.execute(update(KeyRow).values(used_at=first.used_at - 61))
    store.keys.find(secret)
    (later,) = store.keys.list()
    assert later.used_at is not None and later.used_at > first.used_at


def test_a_revoked_key_stays_stored_with_the_time_of_its_revocation(store: Store) -> None:
    made, secret = store.keys.create("ci", "", Scope.READ)
    first = store.keys.revoke(made.prefix)
    assert store.keys.revoke(made.prefix) == first
    found = store.keys.find(secret)
    assert found is not None and found.revoked_at is not None
    assert store.keys.has_any(), "so that the service still requires authentication"
    with pytest.raises(ApiKeyNotFound, match="salience keys list"):
        store.keys.revoke("salience_0")
