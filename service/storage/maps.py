"""Maps and pictures that are kept: of a job's sample as long as the job, of others for a day."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.kept import KeptMaps, KeptPicture
from service.map_tables import KeptMapRow, KeptPictureRow
from service.storage.clock import moment
from service.storage.database import Database
from service.storage.jobs import row_of
from service.tables import JobRow

DEMANDED_SECONDS = 24 * 3600


def add_kept(
    session: Session, job: int, maps: Sequence[KeptMaps], pictures: Sequence[KeptPicture], lasting: bool = True
) -> None:
    """Keep what was made; what is there already stays, and stays as long as either would."""
    until = None if lasting else moment(session) + DEMANDED_SECONDS
    for made in maps:
        there = session.get(KeptMapRow, (job, made.image, made.cohort, made.variant))
        if there is None:
            row = KeptMapRow(
                job=job, image=made.image, cohort=made.cohort, variant=made.variant, data=made.data, until=until
            )
            session.add(row)
        else:
            there.until = until if there.until else None
    for one in pictures:
        _add_picture(session, job, one, until)


def _add_picture(session: Session, job: int, one: KeptPicture, until: float | None) -> None:
    row = session.get(KeptPictureRow, (job, one.image, one.cohort))
    if row is None:
        row = KeptPictureRow(job=job, image=one.image, cohort=one.cohort, until=until)
        session.add(row)
    row.until = until if row.until else None
    row.sheet, row.picture, row.thumb = row.sheet or one.sheet, row.picture or one.picture, row.thumb or one.thumb


class MapStore:
    """What is kept to be looked at."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, job: str, maps: Sequence[KeptMaps], pictures: Sequence[KeptPicture], lasting: bool) -> None:
        """Keep what was made of a picture."""
        with self._database.write() as session:
            add_kept(session, row_of(session, job).number, maps, pictures, lasting)

    def maps(self, job: str, image: int, cohort: int, variant: str) -> KeptMaps | None:
        """A picture's maps in a variant, where they are kept."""
        with self._database.read() as session:
            row = session.get(KeptMapRow, (row_of(session, job).number, image, cohort, variant))
            return KeptMaps(cohort, image, variant, row.data) if row else None

    def picture(self, job: str, image: int, cohort: int) -> KeptPicture | None:
        """A picture as the cohort of that number prepares it, where it is kept."""
        with self._database.read() as session:
            row = session.get(KeptPictureRow, (row_of(session, job).number, image, cohort))
            return _to_picture(row) if row else None

    def sheets(self, job: str, images: Sequence[int]) -> list[KeptPicture]:
        """The sheets of some pictures of a job with their thumbs, by picture and cohort."""
        chosen = (
            select(KeptPictureRow.cohort, KeptPictureRow.image, KeptPictureRow.sheet, KeptPictureRow.thumb)
            .join(JobRow)
            .where(JobRow.id == job, KeptPictureRow.image.in_(images))
            .order_by(KeptPictureRow.image, KeptPictureRow.cohort)
        )
        with self._database.read() as session:
            return [KeptPicture(row.cohort, row.image, row.sheet, None, row.thumb) for row in session.execute(chosen)]


def _to_picture(row: KeptPictureRow) -> KeptPicture:
    return KeptPicture(row.cohort, row.image, row.sheet, row.picture, row.thumb)
