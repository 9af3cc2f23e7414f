"""The rows of who may do what: keys, and the tenants that uploaded an artifact."""

from sqlalchemy import Double, String
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.tables.jobs import Rows


class KeyRow(Rows):
    """A key, of which only the SHA-256 is kept. A revoked one stays, so that a service once closed never opens."""

    __tablename__ = "api_keys"

    prefix: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    tenant: Mapped[str] = mapped_column(String(200), server_default="")
    scope: Mapped[str] = mapped_column(String(16))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[float] = mapped_column(Double)
    expires_at: Mapped[float | None] = mapped_column(Double)
    used_at: Mapped[float | None] = mapped_column(Double)
    revoked_at: Mapped[float | None] = mapped_column(Double)


class ArtifactOwnerRow(Rows):
    """A tenant that uploaded an artifact, and when last, or when it was last named.

    What nobody is noted for came before there were tenants.
    """

    __tablename__ = "artifact_owners"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(200), primary_key=True, server_default="")
    uploaded_at: Mapped[float] = mapped_column(Double)
