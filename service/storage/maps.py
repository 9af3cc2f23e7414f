"""Maps and pictures that are kept: of a job's sample as long as the job, of others for a day."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.domain.maps import StoredImage, StoredMaps
from service.storage.clock import moment
from service.storage.database import Database
from service.storage.jobs import get_row
from service.storage.tables.jobs import JobRow
from service.storage.tables.maps import KeptMapRow, KeptPictureRow

ON_DEMAND_SECONDS = 24 * 3600


def add_maps(
    session: Session, job: int, maps: Sequence[StoredMaps], images: Sequence[StoredImage], lasting: bool = True
) -> None:
    """Keep what was made; what is there already stays, and stays as long as either would."""
    until = None if lasting else moment(session) + ON_DEMAND_SECONDS
    for made in maps:
        there = session.get(KeptMapRow, (job, made.image, made.cohort, made.variant))
        if there is None:
            row = KeptMapRow(
                job=job, image=made.image, cohort=made.cohort, variant=made.variant, data=made.data, until=until
            )
            session.add(row)
        else:
            there.until = until if there.until else None
    for one in images:
        _add_image(session, job, one, until)


def _add_image(session: Session, job: int, one: StoredImage, until: float | None) -> None:
    row = session.get(KeptPictureRow, (job, one.image, one.cohort))
    if row is None:
        row = KeptPictureRow(job=job, image=one.image, cohort=one.cohort, until=until)
        session.add(row)
    row.until = until if row.until else None
    row.sheet, row.picture, row.thumb = row.sheet or one.sheet, row.picture or one.palette_image, row.thumb or one.thumb


class MapStore:
    """What is kept to be looked at."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, job: str, maps: Sequence[StoredMaps], images: Sequence[StoredImage], lasting: bool) -> None:
        """Keep what was made of a picture."""
        with self._database.write() as session:
            add_maps(session, get_row(session, job).number, maps, images, lasting)

    def maps(self, job: str, image: int, cohort: int, variant: str) -> StoredMaps | None:
        """A picture's maps in a variant, where they are kept."""
        with self._database.read() as session:
            row = session.get(KeptMapRow, (get_row(session, job).number, image, cohort, variant))
            return StoredMaps(cohort, image, variant, row.data) if row else None

    def image(self, job: str, image: int, cohort: int) -> StoredImage | None:
        """A picture as the cohort of that number prepares it, where it is kept."""
        with self._database.read() as session:
            row = session.get(KeptPictureRow, (get_row(session, job).number, image, cohort))
            return _to_image(row) if row else None

    def sheets(self, job: str, images: Sequence[int]) -> list[StoredImage]:
        """The sheets of some pictures of a job with their thumbs, by picture and cohort."""
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
