"""The error tree. An error carries facts; its class's docstring is its message. No status codes here.

SalienceError
├── SpecInvalid              the job's spec cannot be run; names each field
├── InputRefused             a model or an image set is not what it must be; fails the job
│   ├── ModelRefused
│   ├── ImagesRefused
│   ├── TooManySkipped
│   ├── ShardLost
│   ├── WorkFailed           something broke that trying again does not mend
│   └── DeadlineExceeded
├── NotFound
│   ├── JobNotFound
│   ├── ArtifactNotFound
│   └── InspectionNotFound
├── Conflict
│   ├── JobNotFinished
│   ├── JobHasNoResults
│   └── JobEnded
├── KeyReused
├── InspectionRefused        what was looked at is not what it must be
├── ArtifactRefused          an upload is not what it was said to be, or too large
├── CursorInvalid
├── FilterInvalid
├── NotAcceptable
├── SettingsInvalid          the environment says what cannot be
├── SpecUnreadable           a spec file is not JSON
├── RemoteTrouble            a service that a client of ours asked
│   ├── RemoteRefused
│   └── RemoteUnreachable
├── DatabaseAway             it does not answer, or broke off in mid-transaction; tried again, all may be well
├── WorkStopped              a worker lost its shard: cancelled, or given to another
└── WorkerStops              a worker gives its shard back, as it was asked to stop
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import cleandoc


@dataclass(frozen=True)
class FieldProblem:
    """One thing wrong with one field: where it is and what would mend it."""

    field: str
    detail: str

    @classmethod
    def at(cls, loc: Sequence[int | str], detail: str) -> "FieldProblem":
        """A problem at a pydantic location, written as one writes it: cohorts[0].model.layer."""
        path = ""
        for part in loc:
            path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
        return cls(path, detail)


class SalienceError(Exception):
    """Something went wrong."""

    kind = "error"

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        told = cleandoc(self.__doc__ or "").format(**facts)
        # A file's name may hold bytes that are no text.
        super().__init__(told.encode(errors="backslashreplace").decode())

    def problems(self) -> Sequence[FieldProblem]:
        """The fields this error is about; none unless the error names one."""
        field = self.facts.get("field")
        return [FieldProblem(str(field), str(self))] if field else []


class SpecInvalid(SalienceError):
    """The spec cannot be run: {summary}"""

    kind = "invalid-spec"

    def __init__(self, found: Sequence[FieldProblem]) -> None:
        self.found = found
        super().__init__(summary="; ".join(f"{problem.field}: {problem.detail}" for problem in found))

    def problems(self) -> Sequence[FieldProblem]:
        """Every field refused."""
        return self.found


class InputRefused(SalienceError):
    """{reason}"""

    kind = "input-refused"


class ModelRefused(InputRefused):
    """{reason}"""

    kind = "model-refused"


class ImagesRefused(InputRefused):
    """{reason}"""

    kind = "images-refused"


class TooManySkipped(InputRefused):
    """{skipped} of {total} images could not be read, and {field} is {limit}; the first: {first}."""

    kind = "too-many-skipped"


class ShardLost(InputRefused):
    """{what} {did} {times} times, and is not tried again. The last time, by {worker}: {reason}."""

    kind = "shard-lost"


class WorkFailed(InputRefused):
    """The work broke off for a reason that trying again does not mend: {reason}"""

    kind = "work-failed"


class DeadlineExceeded(InputRefused):
    """The job was not done within the {seconds:g} s that its spec's deadline gives it."""

    kind = "deadline-exceeded"


class NotFound(SalienceError):
    """There is nothing here."""

    kind = "not-found"


class JobNotFound(NotFound):
    """There is no job {job}."""

    kind = "job-not-found"


class ArtifactNotFound(NotFound):
    """There is no artifact {digest}; upload it with PUT /v1/artifacts."""

    kind = "artifact-not-found"


class InspectionNotFound(NotFound):
    """There is no inspection {inspection}; they are forgotten after a day."""

    kind = "inspection-not-found"


class InspectionRefused(SalienceError):
    """{reason}"""

    kind = "inspection-refused"


class Conflict(SalienceError):
    """The job's state does not allow this."""

    kind = "conflict"


class JobNotFinished(Conflict):
    """Job {job} is {state}; its results come when it has succeeded."""

    kind = "job-not-finished"


class JobHasNoResults(Conflict):
    """Job {job} has {state} and has no results: {reason}"""

    kind = "job-has-no-results"


class JobEnded(Conflict):
    """Job {job} has {state} already and cannot be cancelled."""

    kind = "job-ended"


class KeyReused(SalienceError):
    """Idempotency-Key {key!r} was used for another spec (job {job}); send a new key for a new spec."""

    kind = "idempotency-key-reused"


class ArtifactRefused(SalienceError):
    """The upload is refused: {detail}"""

    kind = "artifact-refused"


class CursorInvalid(SalienceError):
    """This cursor is not one of ours; take it from the `next` of the page before."""

    kind = "invalid-cursor"


class FilterInvalid(SalienceError):
    """{detail}"""

    kind = "invalid-filter"


class NotAcceptable(SalienceError):
    """This can be had as {offered}, not as {asked}."""

    kind = "not-acceptable"


class SettingsInvalid(SalienceError):
    """{detail}"""

    kind = "settings-invalid"


class SpecUnreadable(SalienceError):
    """{path} cannot be read as a spec: {reason}"""

    kind = "spec-unreadable"


class RemoteTrouble(SalienceError):
    """The service does not do what it was asked."""

    kind = "remote-trouble"


class RemoteRefused(RemoteTrouble):
    """{detail}"""

    kind = "remote-refused"


class RemoteUnreachable(RemoteTrouble):
    """No service answers at {url}: {reason}. Start one with `salience serve`, or set SALIENCE_URL."""

    kind = "remote-unreachable"


class WorkStopped(SalienceError):
    """Shard {shard} is no longer this worker's: its job was cancelled or its lease ran out."""

    kind = "work-stopped"


class DatabaseAway(SalienceError):
    """The database does not answer; see /readyz."""

    kind = "database-unavailable"


class WorkerStops(SalienceError):
    """Shard {shard} is given back: its worker was asked to stop."""

    kind = "worker-stops"


@contextmanager
def blaming(field: str) -> Iterator[None]:
    """Name the field that a refused input stands in, unless it is named already."""
    try:
        yield
    except InputRefused as error:
        error.facts.setdefault("field", field)
        raise
