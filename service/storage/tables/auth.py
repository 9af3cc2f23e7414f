"""Tables of API keys and of the tenants that own artifacts."""

from sqlalchemy import Double, String
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.tables.base import Rows


class KeyRow(Rows):
    """An API key, of which only the SHA-256 is stored.

    Revoked keys stay, since a service without keys would accept requests without authentication.
    """

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
    """A tenant that owns an artifact, and when the tenant last uploaded the artifact or named it in a request.

    Artifacts without a row were uploaded before tenants existed.
    """

    __tablename__ = "artifact_owners"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(200), primary_key=True, server_default="")
    uploaded_at: Mapped[float] = mapped_column(Double)
