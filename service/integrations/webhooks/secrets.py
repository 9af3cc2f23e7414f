"""Secrets of webhooks, derived from the operator's keys: what the database holds gives no secret away.

Kept of a secret are a random salt and which key it is derived with. A new key goes first in the list; older ones
stay in it until no webhook's secret is derived with them any more.
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
    """The operator's keys, newest first; none, where webhooks are not offered."""

    keys: Sequence[str] = field(repr=False)

    def create_secret(self) -> Json:
        """What is kept of a new secret. Raises NotConfigured without a key."""
        if not self.keys:
            raise NotConfigured(what="Sending webhooks", setting=SETTING)
        return {"key": _key_id(self.keys[0]), "salt": secrets.token_hex(16)}

    def decrypt(self, kept: Json) -> bytes:
        """The secret that something kept stands for. Raises NotConfigured where its key is gone."""
        for key in self.keys:
            if _key_id(key) == kept["key"]:
                return hmac.digest(key.encode(), PURPOSE + bytes.fromhex(kept["salt"]), "sha256")
        raise NotConfigured(what="This webhook's secret", setting=f"the key {kept['key']} in {SETTING}")


def display_secret(secret: bytes) -> str:
    """A secret as its receiver is told it."""
    return "whsec_" + base64.b64encode(secret).decode()


def embedded_key(data_dir: Path) -> str:
    """The key of the embedded service, made when first asked for; only its user can read it."""
    path = data_dir / KEY_FILE
    if not path.exists():
        fresh = path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(secrets.token_urlsafe(32))
        fresh.replace(path)
    return path.read_text()


def _key_id(key: str) -> str:
    """What a key is called in the database, which tells nothing of it."""
    return hashlib.sha256(PURPOSE + key.encode()).hexdigest()[:12]
