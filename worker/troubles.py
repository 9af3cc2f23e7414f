"""What goes wrong with work: whether it may pass, and what users are told of it. Knows no queue and no database."""

from service.errors import DatabaseAway, InputRefused, JobNotFound
from service.redaction import redacted
from service.transient import Away, is_transient
from worker.batching import is_out_of_memory
from worker.fetching.places import Places


def may_pass(trouble: Exception) -> bool:
    """Whether another try, or another worker, may fare better. Torch tells a device's troubles by RuntimeError."""
    passing = (DatabaseAway, RuntimeError)
    return isinstance(trouble, passing) or is_transient(trouble) or is_out_of_memory(trouble)


def told(error: Exception, places: Places) -> str:
    """What users are told of an error; where this service keeps things is for its log."""
    if isinstance(error, InputRefused | JobNotFound):
        return places.told(str(error))
    return places.told(redacted(str(error) if isinstance(error, Away) else f"{type(error).__name__}: {error}"))
