"""API keys and their scopes and tenants. This module knows no HTTP and no SQL.

A key is 256 random bits, so a fast hash is safe; slow hashes protect guessable passwords. A fast hash lets us check the
key on every request, so revocation takes effect at once.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum

from service.errors import InvalidApiKey

PREFIX = "salience"
SECRET_BYTES = 32
TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Scope(StrEnum):
    """What a key permits. Each scope includes the scopes before it."""

    READ = "read"
    SUBMIT = "submit"
    ADMIN = "admin"

    def includes(self, other: "Scope") -> bool:
        """Whether this scope permits everything that the other permits."""
        order = list(Scope)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True)
class ApiKey:
    """An API key without its secret. Times are in seconds since the epoch."""

    prefix: str
    name: str
    tenant: str
    scope: Scope
    created_at: float
    expires_at: float | None = None
    used_at: float | None = None
    revoked_at: float | None = None

    def is_valid(self, now: float) -> bool:
        """Whether the key is neither revoked nor expired at the time `now`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True)
class Caller:
    """The client of a request: the owner of a key, or (without a prefix) a local user of a service without keys."""

    tenant: str = ""
    scope: Scope = Scope.ADMIN
    prefix: str | None = None


def new_secret() -> tuple[str, str]:
    """Return a new key's public prefix and the whole key, which is displayed only once."""
    prefix = f"{PREFIX}_{secrets.token_hex(4)}"
    return prefix, f"{prefix}_{secrets.token_urlsafe(SECRET_BYTES)}"


def hash_key(secret: str) -> str:
    """Return the digest of a key, as it is stored."""
    return hashlib.sha256(secret.encode()).hexdigest()


def check_tenant(tenant: str) -> str:
    """Return the name of a tenant if it is valid; the default tenant has an empty name. Raises InvalidApiKey."""
    if tenant and not TENANT.fullmatch(tenant):
        raise InvalidApiKey(
            field="tenant", detail=f"invalid tenant {tenant!r}: use up to 100 letters, digits and . _ -"
        )
    return tenant
