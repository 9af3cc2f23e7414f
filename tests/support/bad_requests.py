"""Generates random invalid requests, and checks that no response is a 5xx or reveals a secret or internals."""

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

SECRET = "hunter2SECRET"
WRONG_KEYS = 0.1  # the share of requests with an API key that does not exist
# No response may contain a path of our code, a traceback, SQL or a secret.
LEAK = re.compile(
    r"Traceback|File \"|\.py\b|site-packages|/root/|/usr/lib|sqlalchemy|psycopg|SELECT |INSERT |postgresql://"
)
NAMES = ("cohorts", "images", "measures", "options", "salience", "seed", "precision", "gate", "labels", "deadline")
PATHS = (
    "/v1/jobs/{}", "/v1/jobs/{}/results", "/v1/jobs/{}/images", "/v1/jobs/{}/cancel", "/v1/inspections/{}",
    "/v1/artifacts/{}", "/v1/measures/{}", "/v1/jobs?cursor={}", "/v1/jobs?label={}", "/v1/jobs?limit={}",
    "/v1/jobs?state={}", "/{}", "/metrics/{}", "/docs/{}",
)  # fmt: skip
WORDS = (
    "x", "-1", "1e999", "%00", "%ff%fe", "..%2f..%2fetc%2fpasswd", "' OR 1=1--", "<script>alert(1)</script>", "{{7*7}}",
    "A" * 3000, "☃", "%0d%0aX-Injected:%20yes", "${jndi:ldap://x}", "null", "0" * 400,
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, -1, 1e308, 10**30, "", "\0", "A" * 5000, [], {}, [[[[[]]]]], {"uri": "file:///etc/passwd"},
    {"uri": f"https://u:{SECRET}@127.0.0.1:1/x?sig={SECRET}"}, {"uri": "gopher://x"}, {"uri": 7},
    [{"name": "a", "runs": []}],
    [{"name": "<b>", "runs": [{"uri": "file:///proc/self/environ"}]}], "ünïcødé", {"a": {"b": {"c": {}}}},
)  # fmt: skip


@dataclass(frozen=True)
class Bad:
    """An invalid HTTP request."""

    method: str
    path: str
    body: bytes
    headers: dict[str, str]


def bad_requests(count: int, seed: int = 0) -> Iterator[Bad]:
    """Yield `count` random invalid requests. Each has a unique request ID, and a secret in its headers."""
    draw = random.Random(seed)
    for number in range(count):
        method = draw.choice(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "BREW"])
        path = draw.choice(PATHS).format(draw.choice(WORDS))
        body = draw.choice([_body(draw), _torn(draw)]) if method in ("POST", "PUT", "PATCH") else b""
        if draw.random() < 0.4:
            method, path = "POST", draw.choice(["/v1/jobs", "/v1/inspect?wait=0"])
            body = draw.choice([_body(draw), _body(draw), _torn(draw)])
        kind = draw.choice(["application/json", "application/json", "text/plain", "multipart/form-data", "\x7f"])
        headers = {"Content-Type": kind, "Cookie": f"session={SECRET}", "X-Request-ID": f"bad-{number}"}
        key = {"Idempotency-Key": "k" * draw.randrange(400)}
        headers |= draw.choice([{}, {}, {"Accept": draw.choice(WORDS[:3])}, key])
        if draw.random() < WRONG_KEYS:
            headers["Authorization"] = f"Bearer {SECRET}"
        yield Bad(method, path, body, headers)


def _body(draw: random.Random) -> bytes:
    """Return a JSON object that has fields of a spec with values of wrong types or ranges."""
    return json.dumps({name: draw.choice(VALUES) for name in draw.sample(NAMES, draw.randrange(1, 6))}).encode()


def _torn(draw: random.Random) -> bytes:
    """Return bytes that are not valid JSON, such as half of a document, or JSON that is nested too deeply."""
    whole = _body(draw)
    return draw.choice([whole[: len(whole) // 2], draw.randbytes(60), b"[" * 5000, b'{"seed": NaN}', b""])


def send(client: httpx.Client, bad: Bad, met: Counter[int]) -> str:
    """Send a request and count the status of the response in `met`.

    Returns a description of the response if it is a 5xx or leaks something, and otherwise an empty text.
    """
    request = client.build_request(bad.method, bad.path, content=bad.body, headers=bad.headers)
    answer = client.send(request)
    met[answer.status_code] += 1
    message = answer.text + str(answer.headers)
    wrong = answer.status_code >= 500 or LEAK.search(message) or SECRET in message
    return f"{bad} -> {answer.status_code} {message[:500]}" if wrong else ""
