"""Keys and who holds them: what a caller may do, and for which tenant. Knows no HTTP and no SQL.

A key is 256 random bits, so nobody can guess it, be its digest ever so quick to compute; slow digests are for
passwords, which people choose. A quick one lets each request be checked anew, and so a key end at once.
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
    """What a key is for; each includes those before it."""

    READ = "read"
    SUBMIT = "submit"
    ADMIN = "admin"

    def includes(self, other: "Scope") -> bool:
        """Whether who may do this may do the other."""
        order = list(Scope)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True)
class ApiKey:
    """What is known of a key once it has been shown. Times in seconds since the epoch."""

    prefix: str
    name: str
    tenant: str
    scope: Scope
    created_at: float
    expires_at: float | None = None
    used_at: float | None = None
    revoked_at: float | None = None

    def is_valid(self, now: float) -> bool:
        """Whether it still opens."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True)
class Caller:
    """Who asks: a key's holder, or (without a prefix) whoever is on this machine while the service has no keys."""

    tenant: str = ""
    scope: Scope = Scope.ADMIN
    prefix: str | None = None


def new_secret() -> tuple[str, str]:
    """A key's prefix, which may be shown, and the whole key, which is shown once."""
    prefix = f"{PREFIX}_{secrets.token_hex(4)}"
    return prefix, f"{prefix}_{secrets.token_urlsafe(SECRET_BYTES)}"


def hash_key(secret: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(secret.encode()).hexdigest()


def check_tenant(tenant: str) -> str:
    """The tenant's name; empty for the default one. Raises InvalidApiKey."""
    if tenant and not TENANT.fullmatch(tenant):
        raise InvalidApiKey(field="tenant", detail=f"{tenant!r} is no tenant: up to 100 letters, digits and . _ -")
    return tenant
