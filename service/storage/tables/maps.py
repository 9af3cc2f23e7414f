"""Tables of maps for display: stored maps, their images, their sums by class, and requests for maps."""

from sqlalchemy import BigInteger, Double, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.tables.base import LeasedRow, Rows


class KeptMapRow(Rows):
    """The maps of an image in one variant under the runs of a cohort. Maps made on demand expire at `until`."""

    __tablename__ = "kept_maps"

    job: Mapped[int] = mapped_column(ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True)
    image: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    cohort: Mapped[int] = mapped_column(primary_key=True)
    variant: Mapped[str] = mapped_column(String(40), primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    until: Mapped[float | None] = mapped_column(Double, index=True)


class KeptPictureRow(Rows):
    """An image as a cohort's models see it, its thumbnail, and a sheet of the models' maps; each may be missing."""

    __tablename__ = "kept_pictures"

    job: Mapped[int] = mapped_column(ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True)
    image: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    cohort: Mapped[int] = mapped_column(primary_key=True)
    sheet: Mapped[bytes | None] = mapped_column(LargeBinary)
    picture: Mapped[bytes | None] = mapped_column(LargeBinary)
    thumb: Mapped[bytes | None] = mapped_column(LargeBinary)
    until: Mapped[float | None] = mapped_column(Double, index=True)


class ClassSumRow(Rows):
    """The sum of a cohort's native maps over the images of a class ("": all images) that are measured so far."""

    __tablename__ = "class_sums"

    job: Mapped[int] = mapped_column(ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True)
    cohort: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(Text, primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class MapRequestRow(LeasedRow, Rows):
    """A request for maps of an image, deleted once the maps are stored. `error` states why they cannot be made."""

    __tablename__ = "map_requests"
    __table_args__ = (Index(None, "lasting", "asked_at"),)

    job: Mapped[int] = mapped_column(ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True)
    image: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    cohort: Mapped[int] = mapped_column(primary_key=True)
    variants: Mapped[str] = mapped_column(String(400), primary_key=True)
    lasting: Mapped[bool]
    asked_at: Mapped[float] = mapped_column(Double)
    attempt: Mapped[int]
    error: Mapped[str | None] = mapped_column(Text)
