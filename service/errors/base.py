"""The root of the error tree, errors of every resource, and helpers. An error holds facts, not status codes."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FieldProblem:
    """A problem with one field: `field` is its path, `detail` says what is wrong and what to do."""

    field: str
    detail: str

    @classmethod
    def at(cls, loc: Sequence[int | str], detail: str) -> "FieldProblem":
        """Create a problem at a pydantic location, with the path in the usual notation: cohorts[0].model.layer."""
        path = ""
        for part in loc:
            path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
        return cls(path, detail)


class SalienceError(Exception):
    """An error occurred."""

    kind = "error"

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        message = " ".join((self.__doc__ or "").split()).format(**facts)
        # A file name may hold bytes that are not valid text.
        super().__init__(message.encode(errors="backslashreplace").decode())

    def problems(self) -> Sequence[FieldProblem]:
        """Return the fields that the error is about. The list is empty if the error has no `field`."""
        field = self.facts.get("field")
        return [FieldProblem(str(field), str(self))] if field else []


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or the name of its class if the message is empty."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].strip()


def last_line(error: Exception) -> str:
    """Return the last line of an error's message, or the name of its class if the message is empty."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()


class NotFound(SalienceError):
    """There is no such resource. Check the address."""

    kind = "not-found"


class StaticFileNotFound(NotFound):
    """There is no static file {file}."""

    kind = "file-not-found"


class Conflict(SalienceError):
    """The state of the resource does not allow this request."""

    kind = "conflict"


class LimitExceeded(SalienceError):
    """The request exceeds a limit of this service."""

    kind = "too-much"


class BodyTooLarge(LimitExceeded):
    """The request body is larger than {most:,} bytes. Send less, or raise SALIENCE_MAX_BODY_MIB."""

    kind = "body-too-large"


class CursorInvalid(SalienceError):
    """The cursor is invalid. Use the `next` value of the previous page."""

    kind = "invalid-cursor"


class FilterInvalid(SalienceError):
    """{detail}"""

    kind = "invalid-filter"


class NotAcceptable(SalienceError):
    """The media type {asked} is not available. Accept {offered}."""

    kind = "not-acceptable"


class NotConfigured(SalienceError):
    """{what} needs the setting {setting}. Ask the operator of this service to set it."""

    kind = "not-set-up"


class SettingsInvalid(SalienceError):
    """{detail}"""

    kind = "settings-invalid"
