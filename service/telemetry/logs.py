"""Log lines with the IDs of the current request, job and shard: plain text for people, or JSON for machines.

Every message, field and traceback is redacted by service.telemetry.redaction before it is written.
"""

import logging
from typing import Literal

from structlog.contextvars import get_contextvars
from structlog.processors import JSONRenderer, TimeStamper, format_exc_info
from structlog.stdlib import ExtraAdder, ProcessorFormatter
from structlog.typing import EventDict, Processor

from service.telemetry import tracing
from service.telemetry.redaction import redact, redact_value

MAX_TRACEBACK = 32_768  # characters; high enough to include the end of most tracebacks, which names the error
TRACEBACK_START = "Traceback (most recent call last)"  # Starlette logs the traceback of a failed startup as a message

LogFormat = Literal["plain", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]
# Of the messages of other libraries, only warnings and errors are logged.
OWN_LOGGERS = ("service", "worker", "uvicorn", "celery")
_LINE_BREAKS = {ord("\n"): r"\n", ord("\r"): r"\r", 0x1B: r"\x1b", 0x2028: r"\u2028", 0x85: r"\x85"}


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
    """Formats lines for people. Line breaks in a message are escaped, so that a message cannot forge a second line."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the standard library's name
        """Return the line with the IDs at its end."""
        ids = "".join(f" {name}={redact(str(value))}" for name, value in _current_ids().items())
        return (_message(super().formatMessage(record)) + ids).translate(_LINE_BREAKS)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line and its traceback, redacted."""
        return redact(super().format(record), MAX_TRACEBACK)


class JsonLines(ProcessorFormatter):
    """Formats each record as one JSON object: time, level, logger, message, IDs, and the fields of `extra`."""

    def __init__(self) -> None:
        prepare: list[Processor] = [ExtraAdder(), format_exc_info, TimeStamper(fmt="iso", key="time")]
        super().__init__(foreign_pre_chain=prepare, processors=[_json_fields, JSONRenderer()])


def _json_fields(_logger: object, _method: str, fields: EventDict) -> EventDict:
    """Return the redacted fields of a record."""
    record, message, _ = fields.pop("_record"), fields.pop("event"), fields.pop("_from_structlog")
    found = {"traceback": fields.pop("exception", None), "stack_info": fields.pop("stack_info", None)}
    return {
        **redact_value({**_current_ids(), **fields, "level": record.levelname, "logger": record.name}),
        "message": _message(message),
        **{name: redact(text, MAX_TRACEBACK) for name, text in found.items() if text},
    }


def _message(text: str) -> str:
    """Redact a message. A message that contains a traceback may be as long as a traceback."""
    return redact(text, MAX_TRACEBACK) if TRACEBACK_START in text else redact(text)


def _current_ids() -> dict[str, object]:
    trace = tracing.current_trace()
    return {**get_contextvars(), **({"trace": trace} if trace else {})}
