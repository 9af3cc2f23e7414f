"""Signatures of the Standard Webhooks specification: HMAC-SHA256 of "{id}.{timestamp}.{body}", as `v1,<base64>`.

All functions are pure. MLflow signs its webhooks in the same way.
"""

import base64
import hmac
from collections.abc import Iterable


def sign(key: bytes, message: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a message with this id, time (in Unix seconds) and body."""
    digest = hmac.digest(key, f"{message}.{timestamp}.".encode() + body, "sha256")
    return "v1," + base64.b64encode(digest).decode()


def matches(signatures: str, expected: Iterable[str]) -> bool:
    """Whether a header with signatures separated by spaces contains one of the expected signatures."""
    # Compare bytes, since the header may not be ASCII, and compare all pairs, to take constant time.
    results = [
        hmac.compare_digest(given.encode(), each.encode()) for each in expected for given in signatures.split(" ")
    ]
    return any(results)


def is_timely(timestamp: str, now: float, window: float) -> bool:
    """Whether a time in whole Unix seconds differs from `now` by at most `window` seconds."""
    return timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 16 and abs(now - int(timestamp)) <= window
