"""Who is let in: the holder of a key that opens, and whoever is on this machine while there are no keys.

Knows no HTTP. Each request asks the database anew, so that a revoked key opens no process's door any more.
"""

import time
from dataclasses import dataclass

from service.domain.api_key import ApiKey, Caller, Scope
from service.errors import ApiKeyMissing, ApiKeyRefused, ApiKeysRequired, ScopeMissing
from service.storage import ApiKeyStore


@dataclass
class Authenticator:
    """The door of one process. `keys_required`: a key is asked of everybody, also of those on this machine."""

    keys: ApiKeyStore
    keys_required: bool
    _has_had_keys: bool = False

    def authenticate(self, secret: str | None, is_local: bool) -> Caller:
        """Who this is. `is_local`: the request came from this machine, and not by way of a page elsewhere.

        Raises ApiKeyMissing, ApiKeyRefused.
        """
        if secret is not None:
            return _caller_of(self.keys.find(secret), time.time())
        if self.keys_required or not is_local or self._has_keys():
            raise ApiKeyMissing
        return Caller()

    def is_still_valid(self, caller: Caller) -> bool:
        """Whether somebody who was let in still would be."""
        if caller.prefix is None:
            return not self._has_keys()
        found = self.keys.find_by_prefix(caller.prefix)
        return found is not None and found.is_valid(time.time())

    def check_start(self, host: str) -> None:
        """Raise ApiKeysRequired for a service that nobody could use, or everybody."""
        if self.keys_required and not self._has_keys():
            raise ApiKeysRequired(host=host)

    def _has_keys(self) -> bool:
        """Whether a key was ever made; that it was stays true."""
        self._has_had_keys = self._has_had_keys or self.keys.has_any()
        return self._has_had_keys


def require(caller: Caller, needed: Scope) -> None:
    """Raise ScopeMissing for who may not do this."""
    if not caller.scope.includes(needed):
        raise ScopeMissing(needed=needed, scope=caller.scope)


def _caller_of(found: ApiKey | None, now: float) -> Caller:
    if found is None:
        raise ApiKeyRefused(reason="is none of this service's")
    if found.revoked_at is not None:
        raise ApiKeyRefused(reason="was revoked")
    if not found.is_valid(now):
        raise ApiKeyRefused(reason="has expired")
    return Caller(found.tenant, found.scope, found.prefix)
