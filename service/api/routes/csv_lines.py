"""Per-image values as CSV: a line per image and run, and a line per image with values across the runs of a cohort."""

import csv
import io
import math
from array import array
from collections.abc import Iterable, Iterator

from service.domain.job import Job
from service.domain.work import ACROSS_RUNS
from service.storage.images import MeasuredImage


def csv_lines(job: Job, measured: Iterable[MeasuredImage]) -> Iterator[str]:
    """Yield the header line, then the lines of each image. A cell without a value is empty."""
    names = list(
        dict.fromkeys(
            name for image_set in job.image_sets for columns in (image_set.run, *image_set.across) for name in columns
        )
    )
    groups = [f"group.{name}" for name in job.spec.images.groups]
    yield _line(["image", "set", "label", *groups, "sha256", "skipped", "cohort", "run", *names])
    for each in measured:
        image = each.image
        image_set = job.image_set_of(image.number)
        values_of = job.groups_of(image)
        own = [values_of.get(name) or "" for name in job.spec.images.groups]
        facts = [image.name, image_set.field, image.label or "", *own, image.sha256 or "", image.skipped or ""]
        if not each.values:
            yield _line([*facts, "", "", *([""] * len(names))])
        for values in each.values:
            is_across = values.run == ACROSS_RUNS
            columns = image_set.across[values.cohort] if is_across else image_set.run
            numbers = dict(zip(columns, array("d", values.data), strict=True))
            cohort = job.spec.cohorts[values.cohort].name
            run = "across" if is_across else str(values.run)
            yield _line([*facts, cohort, run, *(_cell(numbers.get(name)) for name in names)])


def _cell(number: float | None) -> str:
    return "" if number is None or math.isnan(number) else str(number)


def _line(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()
