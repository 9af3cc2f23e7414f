"""Pagination cursors: an encoded row number, opaque to the client."""

import base64
import binascii

from service.errors import CursorInvalid

MAX_CURSOR = 2**62  # so that adding a page size does not exceed the largest integer of the database


def encode(number: int | None) -> str | None:
    """Return the cursor for a row number, and None for None."""
    return None if number is None else base64.urlsafe_b64encode(str(number).encode()).decode()


def decode(cursor: str | None) -> int | None:
    """Return the row number of a cursor. Raises CursorInvalid."""
    if cursor is None:
        return None
    try:
        number = int(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        raise CursorInvalid(field="query.cursor") from None
    if not 0 <= number < MAX_CURSOR:
        raise CursorInvalid(field="query.cursor")
    return number
