"""Reads the images of a job and their measured values, in the order of the images."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from service.domain.job import Image, ImageSet
from service.domain.work import Values
from service.storage.database import Database
from service.storage.jobs import get_row
from service.storage.postgres import allow_long_statements
from service.storage.tables.jobs import ImageRow, JobRow, ValueRow

PAGE_SIZE = 5_000
OF_JOB = JobRow.number == ImageRow.job


@dataclass(frozen=True)
class ReadImage:
    """An image that a worker has read, with the SHA-256 of its content and its values in the group columns."""

    number: int
    name: str
    label: str | None
    sha256: str
    groups: tuple[str | None, ...] = ()


@dataclass(frozen=True)
class MeasuredImage:
    """An image and its measured values under every run of every cohort."""

    image: Image
    values: Sequence[Values]


class ImageStore:
    """Reads images and their measured values."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def slice(self, job: str, start: int, stop: int) -> list[Image]:
        """Return the images with numbers from `start` to `stop - 1`."""
        with self._database.read() as session:
            return _images(session, get_row(session, job).number, start, stop)

    def previous(self, job: str, label: str | None, before: int, first: int = 0) -> Image | None:
        """Return the last image with this label whose number is from `first` to `before - 1`."""
        with self._database.read() as session:
            chosen = select(ImageRow).where(ImageRow.job == get_row(session, job).number)
            chosen = chosen.where(ImageRow.number >= first, ImageRow.number < before)
            same = ImageRow.label.is_(None) if label is None else ImageRow.label == label
            row = session.scalars(chosen.where(same).order_by(ImageRow.number.desc()).limit(1)).one_or_none()
            return None if row is None else _to_image(row)

    def measured(self, job: str, start: int, stop: int) -> list[MeasuredImage]:
        """Return the images with numbers from `start` to `stop - 1`, each with its values by cohort and run."""
        with self._database.read() as session:
            number = get_row(session, job).number
            grouped: dict[int, list[Values]] = {}
            rows = session.scalars(
                select(ValueRow)
                .where(ValueRow.job == number, ValueRow.image >= start, ValueRow.image < stop)
                .order_by(ValueRow.image, ValueRow.cohort, ValueRow.run)
            )
            for row in rows:
                grouped.setdefault(row.image, []).append(Values(row.cohort, row.run, row.image, row.data))
            return [
                MeasuredImage(image, grouped.get(image.number, [])) for image in _images(session, number, start, stop)
            ]

    def chosen(self, job: str, numbers: Sequence[int]) -> list[Values]:
        """Return the measured values of the images with these numbers."""
        chosen = select(ValueRow.cohort, ValueRow.run, ValueRow.image, ValueRow.data)
        with self._database.read() as session:
            own = ValueRow.job == get_row(session, job).number
            return [Values(*row) for row in session.execute(chosen.where(own, ValueRow.image.in_(numbers)))]

    def names(self, job: str, numbers: Sequence[int]) -> dict[int, str]:
        """Return the names of the images with these numbers, by number."""
        chosen = select(ImageRow.number, ImageRow.name).join(JobRow, OF_JOB).where(JobRow.id == job)
        with self._database.read() as session:
            rows = session.execute(chosen.where(ImageRow.number.in_(numbers)))
            return {row.number: row.name for row in rows}

    def find_numbers(self, job: str, names: Sequence[str]) -> list[int]:
        """Return the numbers of the images with these names, ascending."""
        chosen = select(ImageRow.number).join(JobRow, OF_JOB).where(JobRow.id == job, ImageRow.name.in_(names))
        with self._database.read() as session:
            return list(session.scalars(chosen.order_by(ImageRow.number)))

    def skipped(self, job: str) -> list[Image]:
        """Return the unreadable images among those that the job's results cover."""
        with self._database.read() as session:
            chosen = select(ImageRow).join(JobRow, OF_JOB).where(JobRow.id == job, ImageRow.skipped.is_not(None))
            chosen = chosen.where(or_(JobRow.stopped_at.is_(None), ImageRow.number < JobRow.stopped_at))
            return [_to_image(row) for row in session.scalars(chosen.order_by(ImageRow.number))]

    def read_images(self, job: str, image_set: ImageSet, rows: int) -> Iterator[ReadImage]:
        """Yield the images of a set that have exactly `rows` rows of values, ordered by digest and encoded name."""
        with self._database.read() as session:
            allow_long_statements(session)
            number = get_row(session, job).number
            counts = select(ValueRow.image).where(*_values_of(number, image_set)).group_by(ValueRow.image)
            complete = counts.having(func.count() == rows)
            by_name = ImageRow.name if self._database.is_sqlite else ImageRow.name.collate("C")
            chosen = (
                select(ImageRow.number, ImageRow.name, ImageRow.label, ImageRow.sha256, ImageRow.group_values)
                .where(ImageRow.job == number, ImageRow.number.in_(complete), ImageRow.sha256.is_not(None))
                .order_by(ImageRow.sha256, by_name)
            )
            for row in session.execute(chosen, execution_options={"yield_per": PAGE_SIZE}):
                yield ReadImage(row.number, row.name, row.label, str(row.sha256), _groups(row.group_values))

    def values(self, job: str, image_set: ImageSet) -> Iterator[list[Values]]:
        """Yield the measured values of all images of a set, in pages that limit the use of memory."""
        with self._database.read() as session:
            allow_long_statements(session)
            number = get_row(session, job).number
            chosen = select(ValueRow.cohort, ValueRow.run, ValueRow.image, ValueRow.data)
            chosen = chosen.where(*_values_of(number, image_set))
            for page in session.execute(chosen, execution_options={"yield_per": PAGE_SIZE}).partitions():
                yield [Values(*row) for row in page]


def _values_of(job: int, image_set: ImageSet) -> tuple[ColumnElement[bool], ...]:
    return ValueRow.job == job, ValueRow.image >= image_set.start, ValueRow.image < image_set.stop


def _images(session: Session, job: int, start: int, stop: int) -> list[Image]:
    rows = session.scalars(
        select(ImageRow)
        .where(ImageRow.job == job, ImageRow.number >= start, ImageRow.number < stop)
        .order_by(ImageRow.number)
    )
    return [_to_image(row) for row in rows]


def _to_image(row: ImageRow) -> Image:
    groups = _groups(row.group_values)
    return Image(row.number, row.name, row.label, row.path, row.human, row.sha256, row.skipped, groups)


@lru_cache(maxsize=10_000)
def _groups(stored: str | None) -> tuple[str | None, ...]:
    """Return an image's values in the group columns; images of the same groups share them."""
    return tuple(json.loads(stored)) if stored else ()
