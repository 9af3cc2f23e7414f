"""What goes wrong with work: whether it may pass, and what users are told of it. Knows no queue and no database."""

from service.errors import DatabaseUnavailable, InputRefused, JobNotFound
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
