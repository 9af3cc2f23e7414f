"""Maps, images and sums of maps in the database.

Maps of the images in a job's sample are stored as long as the job, and maps made on demand for a day.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.domain.maps import ClassSum, StoredImage, StoredMaps
from service.domain.work import MapSum
from service.storage.clock import moment
from service.storage.database import Database
from service.storage.jobs import get_row
from service.storage.tables.jobs import JobRow, MapSumRow
from service.storage.tables.maps import ClassSumRow, KeptMapRow, KeptPictureRow

ON_DEMAND_SECONDS = 24 * 3600


def add_maps(
    session: Session, job: int, maps: Sequence[StoredMaps], images: Sequence[StoredImage], is_permanent: bool = True
) -> None:
    """Store maps and images. Existing rows keep their data and get the later of both expiry times."""
    until = None if is_permanent else moment(session) + ON_DEMAND_SECONDS
    for new in maps:
        stored = session.get(KeptMapRow, (job, new.image, new.cohort, new.variant))
        if stored is None:
            row = KeptMapRow(
                job=job, image=new.image, cohort=new.cohort, variant=new.variant, data=new.data, until=until
            )
            session.add(row)
        else:
            stored.until = until if stored.until else None
    for image in images:
        _add_image(session, job, image, until)


def _add_image(session: Session, job: int, image: StoredImage, until: float | None) -> None:
    row = session.get(KeptPictureRow, (job, image.image, image.cohort))
    if row is None:
        row = KeptPictureRow(job=job, image=image.image, cohort=image.cohort, until=until)
        session.add(row)
    row.until = until if row.until else None
    row.sheet, row.picture, row.thumb = (
        row.sheet or image.sheet,
        row.picture or image.palette_image,
        row.thumb or image.thumb,
    )


class MapStore:
    """Stores maps and images for display."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, job: str, maps: Sequence[StoredMaps], images: Sequence[StoredImage], is_permanent: bool) -> None:
        """Store the maps and images of a job. Raises JobNotFound."""
        with self._database.write() as session:
            add_maps(session, get_row(session, job).number, maps, images, is_permanent)

    def maps(self, job: str, image: int, cohort: int, variant: str) -> StoredMaps | None:
        """Return the maps of an image in a variant; None if they are not stored."""
        with self._database.read() as session:
            row = session.get(KeptMapRow, (get_row(session, job).number, image, cohort, variant))
            return StoredMaps(cohort, image, variant, row.data) if row else None

    def image(self, job: str, image: int, cohort: int) -> StoredImage | None:
        """Return an image as the models of a cohort see it; None if it is not stored."""
        with self._database.read() as session:
            row = session.get(KeptPictureRow, (get_row(session, job).number, image, cohort))
            return _to_image(row) if row else None

    def sheets(self, job: str, images: Sequence[int]) -> list[StoredImage]:
        """Return the map sheets and thumbnails of some images of a job, ordered by image and cohort."""
        chosen = (
            select(KeptPictureRow.cohort, KeptPictureRow.image, KeptPictureRow.sheet, KeptPictureRow.thumb)
            .join(JobRow)
            .where(JobRow.id == job, KeptPictureRow.image.in_(images))
            .order_by(KeptPictureRow.image, KeptPictureRow.cohort)
        )
        with self._database.read() as session:
            return [StoredImage(row.cohort, row.image, row.sheet, None, row.thumb) for row in session.execute(chosen)]


def _to_image(row: KeptPictureRow) -> StoredImage:
    return StoredImage(row.cohort, row.image, row.sheet, row.picture, row.thumb)


def add_map_sums(session: Session, job: int, sums: Iterable[MapSum]) -> None:
    """Add the sums of a shard to those of its job, whose row the caller has locked."""
    for each in sums:
        row = session.get(MapSumRow, (job, each.cohort, each.run, each.out_of_set))
        if row is None:
            row = MapSumRow(job=job, cohort=each.cohort, run=each.run, out_of_set=each.out_of_set, count=0, data=b"")
            session.add(row)
        row.count, row.data = row.count + each.count, _add_arrays(row.data, each.data)


def add_class_sums(session: Session, job: int, sums: Iterable[ClassSum]) -> None:
    """Add the sums of native maps for each class, as add_map_sums does."""
    for each in sums:
        row = session.get(ClassSumRow, (job, each.cohort, each.label))
        if row is None:
            row = ClassSumRow(job=job, cohort=each.cohort, label=each.label, count=0, data=b"")
            session.add(row)
        row.count, row.data = row.count + each.count, _add_arrays(row.data, each.data)


def _add_arrays(first: bytes, second: bytes) -> bytes:
    """Add two arrays of int64, element by element.

    No element is negative or overflows, so no carry reaches the next element, and adding two big integers suffices.
    """
    total = int.from_bytes(first, "little") + int.from_bytes(second, "little")
    return total.to_bytes(len(second), "little")


class MapSumStore:
    """Stores sums of maps over the images of a job."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_cohort(self, job: str, cohort: int, out_of_set: bool) -> list[MapSum]:
        """Return the sums of a cohort's maps over one image set, in the order of the runs."""
        chosen = (
            select(MapSumRow)
            .join(JobRow)
            .where(JobRow.id == job, MapSumRow.cohort == cohort, MapSumRow.out_of_set == out_of_set)
            .order_by(MapSumRow.run)
        )
        with self._database.read() as session:
            rows = session.scalars(chosen)
            return [MapSum(row.cohort, row.run, row.out_of_set, row.count, row.data) for row in rows]

    def by_class(self, job: str) -> list[ClassSum]:
        """Return the sums of all cohorts' native maps: for each cohort over all images (""), then by class."""
        chosen = select(ClassSumRow).join(JobRow).where(JobRow.id == job)
        with self._database.read() as session:
            rows = session.scalars(chosen.order_by(ClassSumRow.cohort, ClassSumRow.label))
            return [ClassSum(row.cohort, row.label, row.count, row.data) for row in rows]
