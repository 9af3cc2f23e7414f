"""Errors of jobs: why a job fails, and requests that the state of a job does not allow."""

from service.errors.base import Conflict, LimitExceeded, NotFound, SalienceError
from service.errors.inputs import InputRefused


class TooManyUnreadable(InputRefused):
    """{skipped} of {total} images could not be read, but {field} is {limit}. The first is {first}."""

    kind = "too-many-skipped"


class ShardLost(InputRefused):
    """{what} {did} {times} times and is not retried. The last error, on worker {worker}: {reason}."""

    kind = "shard-lost"


class ImagesMissing(InputRefused):
    """{place}: {missing} of {planned} images have no values and were not skipped. The first is {first}. Submit the job
    again."""

    kind = "images-missing"


class WorkMissing(InputRefused):
    """The job is open, but it has no waiting or running shard that could end it. Submit the job again."""

    kind = "work-missing"


class WorkFailed(InputRefused):
    """The audit failed with an error that a retry does not fix: {reason}"""

    kind = "work-failed"


class DeadlineExceeded(InputRefused):
    """The job did not finish within the {seconds:g} s of its deadline. Raise `deadline` in the spec, or audit fewer
    images."""

    kind = "deadline-exceeded"


class JobNotFound(NotFound):
    """There is no job {job}."""

    kind = "job-not-found"


class ImageNotFound(NotFound):
    """Job {job} has no image {image}. Its images have the numbers 0 to {last}; see /v1/jobs/{job}/images."""

    kind = "image-not-found"


class PolicyNotFound(NotFound):
    """There is no policy {policy}. Create it with PUT /v1/policies/NAME."""

    kind = "policy-not-found"


class VerdictNotFound(NotFound):
    """Job {job} has no gate. Judge its results by a policy with POST /v1/policies/NAME/check."""

    kind = "verdict-not-found"


class JobNotFinished(Conflict):
    """Job {job} is {state}. Its results are available after it has succeeded."""

    kind = "job-not-finished"


class JobHasNoResults(Conflict):
    """Job {job} has no results, because it is {state}: {reason}"""

    kind = "job-has-no-results"


class JobEnded(Conflict):
    """Job {job} has already {state} and cannot be cancelled."""

    kind = "job-ended"


class JobsNotComparable(Conflict):
    """These jobs cannot be compared: {reason}."""

    kind = "jobs-not-comparable"


class ComparisonIncomplete(SalienceError):
    """A comparison needs two different jobs, but this request names {named}. Select two in the list of jobs, or open
    /compare?a=ID&b=ID"""

    kind = "jobs-not-chosen"


class IdempotencyKeyReused(SalienceError):
    """Idempotency-Key {key!r} belongs to job {job}, which has another spec. Send a new key with a new spec."""

    kind = "idempotency-key-reused"


class TooManyJobs(LimitExceeded):
    """{most} jobs are already queued or running. Wait until one ends, or raise SALIENCE_MAX_OPEN_JOBS."""

    kind = "too-many-jobs"


class MapRefused(SalienceError):
    """The map of image {image} cannot be made: {reason}"""

    kind = "map-refused"


class LeaseLost(SalienceError):
    """This worker no longer holds shard {shard}: its job was cancelled or its lease expired."""

    kind = "work-stopped"


class WorkerShuttingDown(SalienceError):
    """The worker returns shard {shard} to the queue because it is shutting down."""

    kind = "worker-stops"
