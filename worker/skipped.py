"""How many pictures of a job may be unreadable."""

from collections.abc import Iterable

from service.domain import Image, Job
from service.errors import TooManySkipped


def check_skipped(job: Job, images: Iterable[Image]) -> None:
    """Raise TooManySkipped where more of these pictures were skipped than the job's spec allows."""
    skipped = {image.number: image for image in images if image.skipped}
    limit, total = job.spec.images.max_skipped, job.images_total or 0
    if len(skipped) > limit * total:
        first = skipped[min(skipped)]
        told = f"{first.name} ({first.skipped})"
        raise TooManySkipped(field="images.max_skipped", skipped=len(skipped), total=total, limit=limit, first=told)
