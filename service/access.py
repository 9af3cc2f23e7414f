"""Who is let in: the holder of a key that opens, and whoever is on this machine while there are no keys.

Knows no HTTP. Each request asks the database anew, so that a revoked key opens no process's door any more.
"""

import time
from dataclasses import dataclass

from service.errors import KeyMissing, KeyRefused, KeysNeeded, ScopeMissing
from service.keys import Caller, Key, Scope
from service.storage import KeyStore


@dataclass
class Door:
    """The door of one process. `closed`: a key is asked of everybody, also of those on this machine."""

    keys: KeyStore
    closed: bool
    _keyed: bool = False

    def admit(self, secret: str | None, from_here: bool) -> Caller:
        """Who this is. `from_here`: the request came from this machine, and not by way of a page elsewhere.

        Raises KeyMissing, KeyRefused.
        """
        if secret is not None:
            return _holder(self.keys.find(secret), time.time())
        if self.closed or not from_here or self._has_keys():
            raise KeyMissing
        return Caller()

    def keeps(self, caller: Caller) -> bool:
        """Whether somebody who was let in still would be."""
        if caller.prefix is None:
            return not self._has_keys()
        found = self.keys.known_as(caller.prefix)
        return found is not None and found.is_good(time.time())

    def check_start(self, host: str) -> None:
        """Raise KeysNeeded for a service that nobody could use, or everybody."""
        if self.closed and not self._has_keys():
            raise KeysNeeded(host=host)

    def _has_keys(self) -> bool:
        """Whether a key was ever made; that it was stays true."""
        self._keyed = self._keyed or self.keys.any()
        return self._keyed


def require(caller: Caller, needed: Scope) -> None:
    """Raise ScopeMissing for who may not do this."""
    if not caller.scope.includes(needed):
        raise ScopeMissing(needed=needed, scope=caller.scope)


def _holder(found: Key | None, now: float) -> Caller:
    if found is None:
        raise KeyRefused(reason="is none of this service's")
    if found.revoked_at is not None:
        raise KeyRefused(reason="was revoked")
    if not found.is_good(now):
        raise KeyRefused(reason="has expired")
    return Caller(found.tenant, found.scope, found.prefix)
