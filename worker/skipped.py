"""How many pictures of a job may be unreadable."""

from collections.abc import Iterable

from service.domain.job import Image, Job
from service.errors import TooManyUnreadable


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
