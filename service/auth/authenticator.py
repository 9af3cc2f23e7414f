"""Authentication by API key, and the end of event streams whose key is revoked or expired. Knows no HTTP.

Every request looks up its key in the database, so a revoked key stops working in all processes at once.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import dataclass

from fastapi.concurrency import run_in_threadpool

from service.domain.api_key import ApiKey, Caller, Scope
from service.errors import ApiKeyMissing, ApiKeyRefused, ApiKeysRequired, DatabaseUnavailable, ScopeMissing
from service.storage import ApiKeyStore

RECHECK_SECONDS = 0.2


@dataclass
class Authenticator:
    """Authenticates the requests of one process. With `keys_required`, local requests need an API key too."""

    keys: ApiKeyStore
    keys_required: bool
    _has_had_keys: bool = False

    def authenticate(self, secret: str | None, is_local: bool) -> Caller:
        """Return the caller that a key belongs to.

        A request without a key is authenticated if no key was ever created and `is_local` is true: it came from this
        machine, and no page of another site sent it. Raises ApiKeyMissing, ApiKeyRefused.
        """
        if secret is not None:
            return _to_caller(self.keys.find(secret), time.time())
        if self.keys_required or not is_local or self._has_keys():
            raise ApiKeyMissing
        return Caller()

    def is_still_valid(self, caller: Caller) -> bool:
        """Return whether the caller would still be authenticated."""
        if caller.prefix is None:
            return not self._has_keys()
        found = self.keys.find_by_prefix(caller.prefix)
        return found is not None and found.is_valid(time.time())

    def check_start(self, host: str) -> None:
        """Raise ApiKeysRequired if the service requires keys but has none."""
        if self.keys_required and not self._has_keys():
            raise ApiKeysRequired(host=host)

    def _has_keys(self) -> bool:
        """Return whether a key was ever created. Once true, the answer stays true."""
        self._has_had_keys = self._has_had_keys or self.keys.has_any()
        return self._has_had_keys


class StreamRevocation:
    """Ends event streams whose caller is no longer authenticated. Streams of one key share its lookups."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator
        self._checked: dict[str | None, tuple[float, bool]] = {}  # by key prefix: time and result of the last check

    async def until_revoked(self, caller: Caller, events: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
        """Yield the events, and stop at the first event after the caller's key was revoked or has expired."""
        async with aclosing(events):
            async for event in events:
                if not await self._is_valid(caller):
                    return
                yield event

    async def _is_valid(self, caller: Caller) -> bool:
        checked_at, is_valid = self._checked.get(caller.prefix, (0.0, True))
        now = time.monotonic()
        if now - checked_at >= RECHECK_SECONDS:
            self._checked[caller.prefix] = (now, is_valid)  # other streams of this key skip their check meanwhile
            with suppress(DatabaseUnavailable):  # without the database, no stream can send a job anyway
                is_valid = await run_in_threadpool(self._authenticator.is_still_valid, caller)
                self._checked[caller.prefix] = (now, is_valid)
        return is_valid


def require(caller: Caller, needed: Scope) -> None:
    """Raise ScopeMissing if the caller's scope does not include the needed one."""
    if not caller.scope.includes(needed):
        raise ScopeMissing(needed=needed, scope=caller.scope)


def _to_caller(key: ApiKey | None, now: float) -> Caller:
    if key is None:
        raise ApiKeyRefused(reason="Unknown API key")
    if key.revoked_at is not None:
        raise ApiKeyRefused(reason="This API key is revoked")
    if not key.is_valid(now):
        raise ApiKeyRefused(reason="This API key has expired")
    return Caller(key.tenant, key.scope, key.prefix)
