"""What goes wrong with work: whether it may pass, and what users are told of it. Knows no queue and no database."""

from collections.abc import Iterable

from service.domain.job import Image, Job
from service.errors import DatabaseUnavailable, InputRefused, JobNotFound, TooManyUnreadable
from service.errors.transient import TransientError, is_transient
from service.telemetry.redaction import redact
from worker.inputs.resolver import InputResolver
from worker.runtime.batch_size import is_out_of_memory


def is_retryable(error: Exception) -> bool:
    """Whether another try, or another worker, may fare better. Torch tells a device's troubles by RuntimeError."""
    passing = (DatabaseUnavailable, RuntimeError)
    return isinstance(error, passing) or is_transient(error) or is_out_of_memory(error)


def user_message(error: Exception, places: InputResolver) -> str:
    """What users are told of an error; where this service keeps things is for its log."""
    if isinstance(error, InputRefused | JobNotFound):
        return places.user_text(str(error))
    return places.user_text(
        redact(str(error) if isinstance(error, TransientError) else f"{type(error).__name__}: {error}")
    )


def check_unreadable_share(job: Job, images: Iterable[Image]) -> None:
    """Raise TooManyUnreadable where more of one set's pictures were skipped than the job's spec allows."""
    skipped = {image.number: image for image in images if image.skipped}
    for image_set in job.image_sets:
        own = [number for number in skipped if image_set.start <= number < image_set.stop]
        limit, total = getattr(job.spec, image_set.field).max_skipped, image_set.stop - image_set.start
        if len(own) > limit * total:
            first = skipped[min(own)]
            message, field = f"{first.name} ({first.skipped})", f"{image_set.field}.max_skipped"
            raise TooManyUnreadable(field=field, skipped=len(own), total=total, limit=limit, first=message)
