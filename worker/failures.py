"""Classifies failures of work and writes the messages that users see. Knows no queue and no database."""

from collections.abc import Iterable

from service.domain.job import Image, Job
from service.errors import DatabaseUnavailable, InputRefused, JobNotFound, TooManyUnreadable
from service.errors.transient import TransientError, is_transient
from service.telemetry.redaction import redact
from worker.inputs.resolver import InputResolver
from worker.runtime.batch_size import is_out_of_memory


def is_retryable(error: Exception) -> bool:
    """Whether a retry may succeed, perhaps on another worker. Torch reports device errors as RuntimeError."""
    retryable = (DatabaseUnavailable, RuntimeError)
    return isinstance(error, retryable) or is_transient(error) or is_out_of_memory(error)


def user_message(error: Exception, inputs: InputResolver) -> str:
    """Return an error's message for users, without secrets and without paths of this service."""
    if isinstance(error, InputRefused | JobNotFound):
        return inputs.user_text(str(error))
    return inputs.user_text(
        redact(str(error) if isinstance(error, TransientError) else f"{type(error).__name__}: {error}")
    )


def check_unreadable_share(job: Job, images: Iterable[Image]) -> None:
    """Raise TooManyUnreadable if more images of one image set were skipped than the spec's `max_skipped` allows."""
    skipped = {image.number: image for image in images if image.skipped}
    for image_set in job.image_sets:
        own = [number for number in skipped if image_set.start <= number < image_set.stop]
        limit, total = getattr(job.spec, image_set.field).max_skipped, image_set.stop - image_set.start
        if len(own) > limit * total:
            first = skipped[min(own)]
            example, field = f"{first.name} ({first.skipped})", f"{image_set.field}.max_skipped"
            raise TooManyUnreadable(field=field, skipped=len(own), total=total, limit=limit, first=example)
