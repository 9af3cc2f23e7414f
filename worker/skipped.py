"""How many pictures of a job may be unreadable."""

from collections.abc import Iterable

from service.domain import Image, Job
from service.errors import TooManySkipped


def check_skipped(job: Job, images: Iterable[Image]) -> None:
    """Raise TooManySkipped where more of one set's pictures were skipped than the job's spec allows."""
    skipped = {image.number: image for image in images if image.skipped}
    for among in job.image_sets:
        own = [number for number in skipped if among.start <= number < among.stop]
        limit, total = getattr(job.spec, among.field).max_skipped, among.stop - among.start
        if len(own) > limit * total:
            first = skipped[min(own)]
            told, field = f"{first.name} ({first.skipped})", f"{among.field}.max_skipped"
            raise TooManySkipped(field=field, skipped=len(own), total=total, limit=limit, first=told)
