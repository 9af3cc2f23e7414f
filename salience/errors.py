"""Exceptions of the client. The docstring of a class is the template of its message.

ClientError
├── RequestRejected       the service answered with an error status
│   ├── ResourceNotFound  404
│   ├── RequestConflict   409
│   ├── InvalidRequest    422
│   ├── RequestForbidden  401 or 403
│   └── ServiceBusy       429 or 503, after all retries
└── ServiceUnreachable    the service did not answer
"""

from collections.abc import Sequence
from dataclasses import dataclass
from inspect import cleandoc


@dataclass(frozen=True)
class FieldProblem:
    """A problem with one field of a request: the path of the field, what is wrong and how to fix it."""

    field: str
    detail: str


class ClientError(Exception):
    """The request to the service failed."""

    kind = "remote-trouble"

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(cleandoc(self.__doc__ or "").format(**facts))

    def problems(self) -> Sequence[FieldProblem]:
        """Return the fields that the service rejected."""
        return []


class RequestRejected(ClientError):
    """{detail}"""

    kind = "remote-refused"

    @property
    def status(self) -> int:
        """The HTTP status of the response."""
        return int(str(self.facts["status"]))

    @property
    def type(self) -> str:
        """The type of the problem, such as urn:salience:problem:job-ended. It stays the same across versions."""
        return str(self.facts["type"])

    def problems(self) -> Sequence[FieldProblem]:
        """Return the fields that the service rejected."""
        found = self.facts["fields"]
        assert isinstance(found, list)
        return found


class ResourceNotFound(RequestRejected):
    """{detail}"""

    kind = "remote-not-found"


class RequestConflict(RequestRejected):
    """{detail}"""

    kind = "remote-conflict"


class InvalidRequest(RequestRejected):
    """{detail}"""

    kind = "remote-invalid"


class RequestForbidden(RequestRejected):
    """{detail}"""

    kind = "remote-forbidden"


class ServiceBusy(RequestRejected):
    """{detail}"""

    kind = "remote-busy"


class ServiceUnreachable(ClientError):
    """No service answers at {url}: {reason}. Start one with `salience serve`, or set SALIENCE_URL."""

    kind = "remote-unreachable"
