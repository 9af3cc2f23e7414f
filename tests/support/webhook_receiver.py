"""Receives webhooks as a user's server does, and verifies them with the official standardwebhooks package."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request, Response
from standardwebhooks import Webhook, WebhookVerificationError

from tests.support.servers import serving


@dataclass
class Receiver:
    """A receiver of webhooks: its URL and secret, the verified messages (`seen`), and the next statuses to answer.

    After the last of the `statuses`, the receiver answers 204.
    """

    url: str = ""
    secret: str = ""
    statuses: list[int] = field(default_factory=list)
    seen: list[tuple[dict[str, str], Any]] = field(default_factory=list)
    refused: int = 0
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """Verify a request and store its message. Returns the status of the response."""
        try:
            content = Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError:
            self.refused += 1
            return 401
        with self.arrived:
            self.seen.append((headers, content))
            self.arrived.notify_all()
        return self.statuses.pop(0) if self.statuses else 204

    def await_messages(self, count: int, seconds: float = 20) -> list[tuple[dict[str, str], Any]]:
        """Wait until `count` messages have arrived. Returns the headers and the content of each."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.seen) >= count, seconds), self.seen
        return self.seen[:count]


@contextmanager
def receiving(statuses: Sequence[int] = ()) -> Iterator[Receiver]:
    """Run a receiver that answers with these statuses in order. Yields the receiver."""
    receiver, app = Receiver(statuses=list(statuses)), FastAPI()

    @app.post("/hook")
    async def hook(request: Request) -> Response:
        return Response(status_code=receiver.take(dict(request.headers), await request.body()))

    with serving(app) as url:
        receiver.url = f"{url}/hook"
        yield receiver


def await_true(check: Any, seconds: float = 20) -> None:
    """Wait until `check()` is true; fail after `seconds`."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end
        time.sleep(0.05)
