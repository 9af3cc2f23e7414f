"""Derives the secrets of webhooks from the operator's keys, so the database alone reveals no secret.

The database stores a random salt for each secret and the ID of its key. To replace a key, add the new key at the start
of the list, and keep the old key until no secret uses it.
"""

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from service.errors import NotConfigured
from service.spec.model import Json

SETTING = "SALIENCE_SECRET_KEYS"
PURPOSE = b"salience webhook "
KEY_FILE = "secret-key"


@dataclass(frozen=True)
class SecretKeys:
    """The operator's keys, newest first. If there are none, webhooks are disabled."""

    keys: Sequence[str] = field(repr=False)

    def create_secret(self) -> Json:
        """Return the stored form of a new secret. Raises NotConfigured if there is no key."""
        if not self.keys:
            raise NotConfigured(what="Sending webhooks", setting=SETTING)
        return {"key": _key_id(self.keys[0]), "salt": secrets.token_hex(16)}

    def decrypt(self, stored: Json) -> bytes:
        """Return the secret of a stored form. Raises NotConfigured if its key is missing."""
        for key in self.keys:
            if _key_id(key) == stored["key"]:
                return hmac.digest(key.encode(), PURPOSE + bytes.fromhex(stored["salt"]), "sha256")
        raise NotConfigured(what="This webhook's secret", setting=f"the key {stored['key']} in {SETTING}")


def display_secret(secret: bytes) -> str:
    """Return a secret in the format for its receiver."""
    return "whsec_" + base64.b64encode(secret).decode()


def embedded_key(data_dir: Path) -> str:
    """Return the key of the embedded service; create its file at first use, readable by its user only."""
    path = data_dir / KEY_FILE
    if not path.exists():
        new = path.with_suffix(".new")
        descriptor = os.open(new, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(secrets.token_urlsafe(32))
        new.replace(path)
    return path.read_text()


def _key_id(key: str) -> str:
    """Return the ID of a key in the database, which does not reveal the key."""
    return hashlib.sha256(PURPOSE + key.encode()).hexdigest()[:12]
