"""Signatures of the Standard Webhooks kind: HMAC-SHA256 over "{id}.{timestamp}.{body}", as `v1,<base64>`.

Pure: knows no key's origin and no clock but the one it is given. MLflow signs what it sends in the same way.
"""

import base64
import hmac
from collections.abc import Iterable


def sign(key: bytes, message: str, timestamp: str, body: bytes) -> str:
    """The signature of a message's body under its id and its time in unix seconds."""
    digest = hmac.digest(key, f"{message}.{timestamp}.".encode() + body, "sha256")
    return "v1," + base64.b64encode(digest).decode()


def matches(signatures: str, expected: Iterable[str]) -> bool:
    """Whether one of the signatures in a header, apart by spaces, is one of those expected."""
    # Compared as bytes, since text of a stranger's need not be ASCII; and each with each, in the same time.
    found = [hmac.compare_digest(given.encode(), own.encode()) for own in expected for given in signatures.split(" ")]
    return any(found)


def is_timely(timestamp: str, now: float, window: float) -> bool:
    """Whether a time in whole unix seconds lies within so many seconds of now."""
    return timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 16 and abs(now - int(timestamp)) <= window
