"""Log lines with the IDs of the current request, job and shard: plain text for people, or JSON for machines.

Every message, field and traceback is redacted by service.telemetry.redaction before it is written.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal

from pythonjsonlogger.json import JsonFormatter

from service.telemetry import tracing
from service.telemetry.redaction import redact, redact_value

MAX_TRACEBACK = 32_768  # characters; the limit must leave the end, which names the error
TRACEBACK_FIELDS = ("traceback", "stack_info")  # fields of a JSON line with this limit
TRACEBACK_START = "Traceback (most recent call last)"  # Starlette logs the traceback of a failed start as a message

LogFormat = Literal["plain", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]
# Only warnings of other libraries are logged.
OWN_LOGGERS = ("service", "worker", "uvicorn", "celery")
NO_IDS: Mapping[str, object] = {}

_ids: ContextVar[Mapping[str, object]] = ContextVar("ids", default=NO_IDS)
_LINE_BREAKS = {ord("\n"): r"\n", ord("\r"): r"\r", 0x1B: r"\x1b", 0x2028: r"\u2028", 0x85: r"\x85"}


@contextmanager
def bound_ids(**ids: object) -> Iterator[None]:
    """Add IDs such as `request`, `job` and `shard` to every line that is logged in this context."""
    token = _ids.set({**_ids.get(), **ids})
    try:
        yield
    finally:
        _ids.reset(token)


def configure(style: LogFormat, level: LogLevel) -> None:
    """Log to standard error. Further calls replace the handler."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if style == "json" else PlainLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in OWN_LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(level.upper())
    logging.captureWarnings(True)


class PlainLines(logging.Formatter):
    """Formats lines for people. Line breaks in a message are escaped, so that it cannot forge a second line."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the standard library's name
        """Return the line with the IDs at its end."""
        ids = "".join(f" {name}={redact(str(value))}" for name, value in _current_ids().items())
        return (_message(super().formatMessage(record)) + ids).translate(_LINE_BREAKS)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line and its traceback, redacted."""
        return redact(super().format(record), MAX_TRACEBACK)


class JsonLines(JsonFormatter):
    """Formats each record as one JSON object: time, level, logger, message, IDs, and the fields of `extra`."""

    def __init__(self) -> None:
        super().__init__(
            "%(levelname)s %(name)s %(message)s",
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "traceback"},
            timestamp="time",
        )

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Return the redacted fields of the record."""
        record = {**_current_ids(), **super().process_log_record(log_data)}
        tracebacks = {
            name: redact(str(record.pop(name)), MAX_TRACEBACK) for name in TRACEBACK_FIELDS if record.get(name)
        }
        return {**redact_value(record), "message": _message(str(record.get("message", ""))), **tracebacks}


def _message(text: str) -> str:
    """Redact a message. A message that contains a traceback may be as long as a traceback."""
    return redact(text, MAX_TRACEBACK) if TRACEBACK_START in text else redact(text)


def _current_ids() -> dict[str, object]:
    trace = tracing.current_trace()
    return {**_ids.get(), **({"trace": trace} if trace else {})}
