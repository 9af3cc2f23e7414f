"""What the processes log: plain lines for people or JSON for machines, with the IDs of what they work on.

No secret gets into a line: every message, field and traceback passes service.telemetry.redaction on its way out.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal

from pythonjsonlogger.json import JsonFormatter

from service.telemetry import tracing
from service.telemetry.redaction import redact, redact_value

MOST_TRACEBACK = 32_768  # characters: what went wrong is at the end, after frames of our own
TRACES = ("traceback", "stack_info")  # the fields of a JSON line that may be as long
TRACEBACK = "Traceback (most recent call last)"  # Starlette logs that of a start that failed as the message itself

LogFormat = Literal["plain", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]
# Others tell what they do too, but not what happened to a job; of them, warnings are enough.
OWN_LOGGERS = ("service", "worker", "uvicorn", "celery")
NO_IDS: Mapping[str, object] = {}

_ids: ContextVar[Mapping[str, object]] = ContextVar("ids", default=NO_IDS)
_LINE_BREAKS = {ord("\n"): r"\n", ord("\r"): r"\r", 0x1B: r"\x1b", 0x2028: r"\u2028", 0x85: r"\x85"}


@contextmanager
def bound_ids(**ids: object) -> Iterator[None]:
    """Give all that is logged while this context is open these IDs: `request`, `job`, `shard`."""
    token = _ids.set({**_ids.get(), **ids})
    try:
        yield
    finally:
        _ids.reset(token)


def configure(style: LogFormat, level: LogLevel) -> None:
    """Have this process log to standard error; once more changes nothing."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if style == "json" else PlainLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in OWN_LOGGERS:
        ours = logging.getLogger(name)
        ours.handlers.clear()
        ours.propagate = True
        ours.setLevel(level.upper())
    logging.captureWarnings(True)


class PlainLines(logging.Formatter):
    """Lines for people; no message can pass for two."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the standard library's name
        """The line, with the IDs at its end."""
        message = "".join(f" {name}={redact(str(value))}" for name, value in _facts().items())
        return (_message(super().formatMessage(record)) + message).translate(_LINE_BREAKS)

    def format(self, record: logging.LogRecord) -> str:
        """The line and its traceback, redacted."""
        return redact(super().format(record), MOST_TRACEBACK)


class JsonLines(JsonFormatter):
    """One JSON object a line: time, level, logger, message, IDs, and what `extra` brought."""

    def __init__(self) -> None:
        super().__init__(
            "%(levelname)s %(name)s %(message)s",
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "traceback"},
            timestamp="time",
        )

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """The record as it is written."""
        record = {**_facts(), **super().process_log_record(log_data)}
        traces = {name: redact(str(record.pop(name)), MOST_TRACEBACK) for name in TRACES if record.get(name)}
        return {**redact_value(record), "message": _message(str(record.get("message", ""))), **traces}


def _message(text: str) -> str:
    """A message, redacted; one that holds a traceback may be as long as a traceback."""
    return redact(text, MOST_TRACEBACK) if TRACEBACK in text else redact(text)


def _facts() -> dict[str, object]:
    trace = tracing.current_trace()
    return {**_ids.get(), **({"trace": trace} if trace else {})}
