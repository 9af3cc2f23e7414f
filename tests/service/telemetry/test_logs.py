import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.contextvars import bound_contextvars

from service.telemetry import logs

SECRET = "hunter2SECRET"


@pytest.fixture(params=[logs.PlainLines, logs.JsonLines])
def written(request: pytest.FixtureRequest) -> Iterator[tuple[logging.Logger, io.StringIO]]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(request.param())
    log = logging.Logger("tests")
    log.addHandler(handler)
    yield log, stream


def test_no_secret_is_written_in_any_part_of_a_record(written: tuple[logging.Logger, io.StringIO]) -> None:
    log, stream = written
    url = f"https://user:{SECRET}@host/model.pt?X-Amz-Signature={SECRET}"
    with bound_contextvars(request=url):
        log.info("read %s", url, extra={"asked": {"headers": {"Authorization": f"Bearer {SECRET}"}, "uri": [url]}})
        log.info({"api_key": SECRET, "uri": url})
        try:
            raise ValueError(f"cannot open {url}")
        except ValueError:
            log.exception("Authorization: Bearer %s", SECRET, stack_info=True)
    assert SECRET not in stream.getvalue()
    assert "host/model.pt" in stream.getvalue()


def test_a_message_with_line_breaks_is_logged_as_one_line(written: tuple[logging.Logger, io.StringIO]) -> None:
    log, stream = written
    log.info("asked for %s", "x\n2026-01-01 ERROR forged\r\x1b[2Jgone\u2028too")
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()


def test_a_log_line_has_the_ids_that_are_bound_when_it_is_written() -> None:
    def message() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(logs.JsonLines().format(record))
        return found

    record = logging.makeLogRecord({"msg": "%d images", "args": (3,), "levelname": "INFO", "name": "worker"})
    with bound_contextvars(job="a"), bound_contextvars(shard=7):
        inside = message()
    assert (inside["job"], inside["shard"], inside["message"]) == ("a", 7, "3 images")
    assert "job" not in message()


def test_a_bound_id_cannot_replace_a_field_of_the_record() -> None:
    record = logging.makeLogRecord({"msg": "true", "levelname": "INFO", "name": "service"})
    with bound_contextvars(message="false", level="DEBUG", logger="other"):
        message = json.loads(logs.JsonLines().format(record))
    assert (message["message"], message["level"], message["logger"]) == ("true", "INFO", "service")


def test_the_end_of_a_long_traceback_is_logged_but_a_long_message_is_cut(
    written: tuple[logging.Logger, io.StringIO],
) -> None:
    log, stream = written
    error = ValueError("the first cause")
    for number in range(200):
        cause, error = error, ValueError(f"cause {number}")
        error.__cause__ = cause
    log.error("long: %s", "x " * 100_000, exc_info=error)
    text = stream.getvalue()
    assert "cause 199" in text
    assert "[cut, 200,0" in text
    assert len(text) < 2**16


def test_a_traceback_that_is_logged_as_a_message_keeps_its_end(
    written: tuple[logging.Logger, io.StringIO],
) -> None:
    log, stream = written
    frames = "".join(f'  File "frame{number}.py", line 1, in f\n' for number in range(200))
    log.error("Traceback (most recent call last):\n%sValueError: at the end, password=%s", frames, SECRET)
    assert "ValueError: at the end, password=***" in stream.getvalue()
