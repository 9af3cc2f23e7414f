"""The error tree. An error carries facts; its class's docstring is its message. No status codes here.

SalienceError
├── SpecInvalid              the job's spec cannot be run; names each field
├── InputRefused             a model or an image set is not what it must be; fails the job
│   ├── ModelRefused
│   ├── ImagesRefused
│   ├── TooManyUnreadable
│   ├── ShardLost
│   ├── ImagesMissing        some images have neither numbers nor a reason why not
│   ├── WorkMissing          an open job has no shard that could end it
│   ├── WorkFailed           something broke that trying again does not mend
│   └── DeadlineExceeded
├── NotFound
│   ├── JobNotFound
│   ├── ArtifactNotFound
│   ├── ImageNotFound
│   ├── InspectionNotFound
│   ├── ApiKeyNotFound
│   ├── StaticFileNotFound
│   ├── PolicyNotFound
│   ├── VerdictNotFound      the job has no gate
│   └── WebhookNotFound
├── Conflict
│   ├── JobNotFinished
│   ├── JobHasNoResults
│   ├── JobEnded
│   ├── JobsNotComparable
│   ├── TooManyWebhooks
│   └── DeliveryRepeated
├── ComparisonIncomplete            a comparison takes two
├── IdempotencyKeyReused
├── MapRefused               a picture's maps cannot be made
├── CrossSiteForm              a page's form, sent by another site
├── Unauthenticated                  who asks has no key that opens
│   ├── ApiKeyMissing
│   └── ApiKeyRefused
├── ScopeMissing             a key may not do this
├── LimitExceeded                  for now, or for the settings
│   ├── TooManyRequests
│   ├── TooManyJobs
│   └── BodyTooLarge
├── InvalidApiKey                 a key that cannot be made
├── ApiKeysRequired               a service that would let anybody in
├── InspectionRefused        what was looked at is not what it must be
├── ArtifactRefused          an upload is not what it was said to be, or too large
├── ArtifactStoreUnavailable            an upload cannot be kept where uploads are kept
├── CursorInvalid
├── FilterInvalid
├── NotAcceptable
├── DeliveryRefused          a registry's delivery that may be anybody's
├── DeliveryMalformed        one that is signed and says nothing
├── RegistryUnavailable          the registry does not do what it was asked
├── NotConfigured                 a setting of the service is missing for what was asked
├── SettingsInvalid          the environment says what cannot be
├── SpecUnreadable           a spec file is not JSON
├── DatabaseUnavailable             it does not answer, or broke off in mid-transaction; tried again, all may be well
│   └── DatabaseReadOnly
├── LeaseLost              a worker lost its shard: cancelled, or given to another
└── WorkerShuttingDown              a worker gives its shard back, as it was asked to stop
"""

from collections.abc import Callable, Iterator, Sequence
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
        message = cleandoc(self.__doc__ or "").format(**facts)
        # A file's name may hold bytes that are no text.
        super().__init__(message.encode(errors="backslashreplace").decode())

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


class TooManyUnreadable(InputRefused):
    """{skipped} of {total} images could not be read, and {field} is {limit}; the first: {first}."""

    kind = "too-many-skipped"


class ShardLost(InputRefused):
    """{what} {did} {times} times, and is not tried again. The last time, by {worker}: {reason}."""

    kind = "shard-lost"


class ImagesMissing(InputRefused):
    """{place}: {missing} of {planned} have neither numbers nor a reason; the first is {first}. Submit the job again."""

    kind = "images-missing"


class WorkMissing(InputRefused):
    """The job has not ended, but no shard of it waits or runs, so that nothing would end it. Submit it again."""

    kind = "work-missing"


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


class ImageNotFound(NotFound):
    """Job {job} has no image {image}; its images are numbered from 0 to {last}, see /v1/jobs/{job}/images."""

    kind = "image-not-found"


class InspectionNotFound(NotFound):
    """There is no inspection {inspection}; they are forgotten after a day."""

    kind = "inspection-not-found"


class StaticFileNotFound(NotFound):
    """No page loads a file {file}."""

    kind = "file-not-found"


class ApiKeyNotFound(NotFound):
    """There is no key {prefix}; `salience keys list` shows them."""

    kind = "key-not-found"


class Unauthenticated(SalienceError):
    """Nobody knows who asks."""

    kind = "unauthorized"


class ApiKeyMissing(Unauthenticated):
    """This service wants a key: send `Authorization: Bearer ...`; `salience keys create` makes one."""

    kind = "key-missing"


class ApiKeyRefused(Unauthenticated):
    """This key {reason}; `salience keys create` makes another."""

    kind = "key-refused"


class ScopeMissing(SalienceError):
    """This needs a key of the scope `{needed}`, and this one has `{scope}`."""

    kind = "scope-missing"


class LimitExceeded(SalienceError):
    """It is more than the service takes."""

    kind = "too-much"


class TooManyRequests(LimitExceeded):
    """More than {most} requests a minute came with this key; see SALIENCE_RATE_LIMIT_PER_MINUTE."""

    kind = "too-many-requests"


class TooManyJobs(LimitExceeded):
    """{most} jobs are queued or running already; wait for one to end, or see SALIENCE_MAX_OPEN_JOBS."""

    kind = "too-many-jobs"


class BodyTooLarge(LimitExceeded):
    """The request's body has more than {most:,} bytes; see SALIENCE_MAX_BODY_MIB."""

    kind = "body-too-large"


class InvalidApiKey(SalienceError):
    """{field}: {detail}"""

    kind = "key-unfit"


class ApiKeysRequired(SalienceError):
    """Whoever reaches {host} could use this service, since it has no keys. Make one first, with
    `salience keys create --name NAME --scope submit`; or listen on 127.0.0.1 (SALIENCE_HOST)."""

    kind = "keys-needed"


class PolicyNotFound(NotFound):
    """There is no policy {policy}; put it with PUT /v1/policies/NAME."""

    kind = "policy-not-found"


class VerdictNotFound(NotFound):
    """Job {job} has no gate; judge its results by a policy with POST /v1/policies/NAME/check."""

    kind = "verdict-not-found"


class MapRefused(SalienceError):
    """The map of image {image} cannot be made: {reason}"""

    kind = "map-refused"


class WebhookNotFound(NotFound):
    """There is no webhook {webhook}."""

    kind = "webhook-not-found"


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


class JobsNotComparable(Conflict):
    """These jobs cannot be compared: {reason}."""

    kind = "jobs-not-comparable"


class ComparisonIncomplete(SalienceError):
    """Two finished jobs are compared; this names {named}. Tick two in the list of jobs, or ask /compare?a=ID&b=ID"""

    kind = "jobs-not-chosen"


class CrossSiteForm(SalienceError):
    """This form was not sent from a page of this service."""

    kind = "foreign-form"


class TooManyWebhooks(Conflict):
    """There are {most} webhooks, and there may be no more; delete one."""

    kind = "too-many-webhooks"


class DeliveryRepeated(Conflict):
    """Delivery {delivery} was taken before; nothing was done again."""

    kind = "delivery-repeated"


class IdempotencyKeyReused(SalienceError):
    """Idempotency-Key {key!r} was used for another spec (job {job}); send a new key for a new spec."""

    kind = "idempotency-key-reused"


class ArtifactRefused(SalienceError):
    """The upload is refused: {detail}"""

    kind = "artifact-refused"


class ArtifactStoreUnavailable(SalienceError):
    """The upload could not be kept: {reason}. Send it again once there is room where SALIENCE_ARTIFACTS points."""

    kind = "artifacts-unavailable"


class CursorInvalid(SalienceError):
    """This cursor is not one of ours; take it from the `next` of the page before."""

    kind = "invalid-cursor"


class FilterInvalid(SalienceError):
    """{detail}"""

    kind = "invalid-filter"


class NotAcceptable(SalienceError):
    """This can be had as {offered}, not as {asked}."""

    kind = "not-acceptable"


class DeliveryRefused(SalienceError):
    """The delivery is refused: {reason}."""

    kind = "delivery-refused"


class DeliveryMalformed(SalienceError):
    """The delivery is not what a registry sends: {reason}."""

    kind = "delivery-malformed"


class RegistryUnavailable(SalienceError):
    """The registry at {url} {reason}"""

    kind = "registry-trouble"


class NotConfigured(SalienceError):
    """{what} needs {setting}; whoever runs this service can set it."""

    kind = "not-set-up"


class SettingsInvalid(SalienceError):
    """{detail}"""

    kind = "settings-invalid"


class SpecUnreadable(SalienceError):
    """{path} cannot be read as a spec: {reason}"""

    kind = "spec-unreadable"


class LeaseLost(SalienceError):
    """Shard {shard} is no longer this worker's: its job was cancelled or its lease ran out."""

    kind = "work-stopped"


class DatabaseUnavailable(SalienceError):
    """The database does not answer; see /readyz."""

    kind = "database-unavailable"


class DatabaseReadOnly(DatabaseUnavailable):
    """The database takes no changes: it is read-only, or a standby. Point SALIENCE_DATABASE_URL at the primary."""

    kind = "database-read-only"


class WorkerShuttingDown(SalienceError):
    """Shard {shard} is given back: its worker was asked to stop."""

    kind = "worker-stops"


@contextmanager
def naming_field(field: str, model: str = "") -> Iterator[None]:
    """Name the field that a refused input stands in, unless it is named already.

    What is refused for a field of a spec's model says which (`model_field`), and `model` is where that model stands.
    """
    try:
        yield
    except InputRefused as error:
        own = error.facts.get("model_field")
        error.facts.setdefault("field", f"{model}.{own}" if model and own else field)
        raise


@contextmanager
def with_reason(tell: Callable[[str], str]) -> Iterator[None]:
    """Have a refused input give its reason in other words."""
    try:
        yield
    except InputRefused as error:
        if "reason" not in error.facts:
            raise
        raise type(error)(**{**error.facts, "reason": tell(str(error.facts["reason"]))}) from error
