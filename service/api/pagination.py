"""Cursors: opaque to the caller, a row's number to us."""

import base64
import binascii

from service.errors import CursorInvalid

MAX_CURSOR = 2**62  # well inside a database's integers, whatever is added


def encode(number: int | None) -> str | None:
    """The cursor that stands for a number; none for none."""
    return None if number is None else base64.urlsafe_b64encode(str(number).encode()).decode()


def decode(cursor: str | None) -> int | None:
    """The number that a cursor stands for. Raises CursorInvalid."""
    if cursor is None:
        return None
    try:
        number = int(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        raise CursorInvalid(field="query.cursor") from None
    if not 0 <= number < MAX_CURSOR:
        raise CursorInvalid(field="query.cursor")
    return number
