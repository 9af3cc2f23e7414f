"""The rows of maps to be looked at: those kept, pictures of them, their sums by class, and those asked for."""

from sqlalchemy import BigInteger, Double, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.tables.jobs import Rows


class KeptMapRow(Rows):
    """A picture's maps in one variant under a cohort's runs; those made on demand go at `until`."""

    __tablename__ = "kept_maps"

    job: Mapped[int] = mapped_column(ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True)
    image: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    cohort: Mapped[int] = mapped_column(primary_key=True)
    variant: Mapped[str] = mapped_column(String(40), primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    until: Mapped[float | None] = mapped_column(Double, index=True)


class KeptPictureRow(Rows):
    """A picture as a cohort's models see it, and a sheet of their maps, where a job keeps them."""

    __tablename__ = "kept_pictures"

    job: Mapped[int] = mapped_column(ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True)
    image: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    cohort: Mapped[int] = mapped_column(primary_key=True)
    sheet: Mapped[bytes | None] = mapped_column(LargeBinary)
    picture: Mapped[bytes | None] = mapped_column(LargeBinary)
    thumb: Mapped[bytes | None] = mapped_column(LargeBinary)
    until: Mapped[float | None] = mapped_column(Double, index=True)


class ClassSumRow(Rows):
    """The sum of a cohort's native maps over the pictures of a class ("": of all), measured so far."""

    __tablename__ = "class_sums"

    job: Mapped[int] = mapped_column(ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True)
    cohort: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(Text, primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class MapRequestRow(Rows):
    """A picture that waits to be explained; the row goes once its maps are kept. `error` says why there are none."""

    __tablename__ = "map_requests"
    __table_args__ = (Index(None, "lasting", "asked_at"),)

    job: Mapped[int] = mapped_column(ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True)
    image: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    cohort: Mapped[int] = mapped_column(primary_key=True)
    variants: Mapped[str] = mapped_column(String(400), primary_key=True)
    lasting: Mapped[bool]
    asked_at: Mapped[float] = mapped_column(Double)
    attempt: Mapped[int]
    lease_until: Mapped[float | None] = mapped_column(Double)
    error: Mapped[str | None] = mapped_column(Text)
