"""A job's pictures and their numbers, read in the pictures' order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.domain import Image, Values
from service.storage.database import Database
from service.storage.jobs import row_of
from service.tables import ImageRow, JobRow, ValueRow


@dataclass(frozen=True)
class Measured:
    """A picture and its numbers under every run of every cohort."""

    image: Image
    values: Sequence[Values]


class ImageStore:
    """What is kept of pictures."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def slice(self, job: str, start: int, stop: int) -> list[Image]:
        """The pictures numbered start to stop, stop left out."""
        with self._database.read() as session:
            return _images(session, row_of(session, job).number, start, stop)

    def measured(self, job: str, start: int, stop: int) -> list[Measured]:
        """The pictures numbered start to stop with their numbers, ordered by cohort and run."""
        with self._database.read() as session:
            number = row_of(session, job).number
            grouped: dict[int, list[Values]] = {}
            rows = session.scalars(
                select(ValueRow)
                .where(ValueRow.job == number, ValueRow.image >= start, ValueRow.image < stop)
                .order_by(ValueRow.image, ValueRow.cohort, ValueRow.run)
            )
            for row in rows:
                grouped.setdefault(row.image, []).append(Values(row.cohort, row.run, row.image, row.data))
            return [Measured(image, grouped.get(image.number, [])) for image in _images(session, number, start, stop)]

    def skipped(self, job: str) -> list[Image]:
        """The pictures that could not be read."""
        with self._database.read() as session:
            chosen = select(ImageRow).join(JobRow).where(JobRow.id == job, ImageRow.skipped.is_not(None))
            return [_to_image(row) for row in session.scalars(chosen.order_by(ImageRow.number))]

    def every(self, job: str, total: int, page: int = 500) -> Iterator[Measured]:
        """All pictures with their numbers, a page in memory at a time."""
        for start in range(0, total, page):
            yield from self.measured(job, start, start + page)


def _images(session: Session, job: int, start: int, stop: int) -> list[Image]:
    rows = session.scalars(
        select(ImageRow)
        .where(ImageRow.job == job, ImageRow.number >= start, ImageRow.number < stop)
        .order_by(ImageRow.number)
    )
    return [_to_image(row) for row in rows]


def _to_image(row: ImageRow) -> Image:
    return Image(row.number, row.name, row.label, row.path, row.human, row.sha256, row.skipped)
