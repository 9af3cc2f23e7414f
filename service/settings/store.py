"""Settings that the API and the workers share."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from sqlalchemy import make_url

from service.errors import SettingsInvalid
from service.inputs.roots import Roots, real_path
from service.net.allowed_hosts import AllowedHosts
from service.settings.database import DAY, HOUR, DatabaseSettings
from service.settings.secret_files import SecretFiles
from service.telemetry.logs import LogFormat, LogLevel

PREFIX = "SALIENCE_"
GIB = 2**30
# Celery accepts more kinds of broker, but needs packages for them that are not installed.
BROKER = re.compile(r"(redis|amqp)s?://([^/?#]*@)?(\[[\da-fA-F:.]+\]|[^/?#@:]*)(:\d{1,5})?([/?#].*)?")
EMBEDDED_FILES = ("lock", "secret-key")  # the embedded service writes them into its data directory
Item = TypeVar("Item")


def _split_at_commas(value: object) -> object:
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


def _split_paths(value: object) -> object:
    return tuple(part for part in value.split(os.pathsep) if part) if isinstance(value, str) else value


def _expand(path: Path) -> Path:
    return path.expanduser().absolute()


CommaSeparated = Annotated[tuple[Item, ...], NoDecode, BeforeValidator(_split_at_commas)]
Folder = Annotated[Path, AfterValidator(_expand)]
Folders = Annotated[
    tuple[Annotated[Path, AfterValidator(lambda folder: folder.expanduser().resolve())], ...],
    NoDecode,
    BeforeValidator(_split_paths),
]


class StoreSettings(DatabaseSettings):
    """Settings of the API and of the workers. Without URLs, `salience serve` uses SQLite and starts a broker."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, allow_inf_nan=False, use_attribute_docstrings=True)

    data_dir: Folder = Field(default=Path("~/.local/share/salience"), validate_default=True)
    """Folder for the state of the embedded service: its database, uploads, cache and secret key."""
    database_url: str = ""
    """`postgresql://USER:PASSWORD@HOST/DATABASE`, or `sqlite:///PATH`. Default: SQLite in the data directory."""
    database_password: SecretStr | None = None
    """Password of the database user, if the URL does not contain it. It may contain any characters."""
    broker_url: str = ""
    """`redis://...` or, for RabbitMQ, `amqp://...`. Default: none, which makes `salience serve` run the embedded
    service."""
    allowed_roots: Folders = ()
    """Folders, separated by `:`, that `file://` URIs may point into. Default: none; for the embedded service, the
    working directory and the data directory."""
    lease_seconds: float = Field(default=30.0, ge=0.5, le=DAY)
    """Seconds without a heartbeat after which a worker loses its shard to another worker."""
    sweep_seconds: float = Field(default=2.0, gt=0, le=HOUR)
    """Seconds between two searches for work whose notification was lost, in each API process and worker."""
    max_worker_crashes: int = Field(default=3, ge=1)
    """Number of workers that one shard may crash before its job fails."""
    retention_days: float = Field(default=90.0, gt=0)
    """Days after which the service deletes ended jobs with their results, and uploads that no job or policy names."""
    idempotency_key_hours: float = Field(default=24.0, gt=0)
    """Hours for which the service stores an `Idempotency-Key`."""
    artifacts: str = ""
    """Where uploads are stored: a folder that the API and the workers share, or `s3://BUCKET/PREFIX`. Default:
    `artifacts` in the data directory."""
    cache_dir: Path | None = None
    """Folder where the workers of a machine store fetched files. Default: `cache` in the data directory."""
    cache_gib: float = Field(default=50.0, gt=0)
    """Maximum size of the cache of fetched files in GiB. Files that are being fetched or used do not count."""
    log_format: LogFormat = "plain"
    """`plain`, or `json` for one JSON object per line with the IDs of request, job and shard."""
    log_level: LogLevel = "info"
    """`debug`, `info`, `warning` or `error`."""
    allowed_hosts: CommaSeparated[str] = ()
    """Private hosts, addresses and networks, separated by commas, that the service may contact for users. Default:
    none."""
    fetch_seconds: float = Field(default=3600.0, gt=0)
    """Maximum duration in seconds of one connection for fetching an input from the web."""
    max_job_images: int = Field(default=2_000_000, ge=1)
    """Maximum number of images of one job, in all its image sets together."""

    @field_validator("database_url")
    @classmethod
    def _check_database(cls, value: str) -> str:
        if value and not value.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://", "postgres://")):
            raise ValueError("write postgresql://USER:PASSWORD@HOST/DATABASE or sqlite:///PATH")
        return value

    @field_validator("broker_url")
    @classmethod
    def _check_broker(cls, value: str) -> str:
        if value and not all(map(BROKER.fullmatch, value.split(";"))):
            raise ValueError("write redis://:PASSWORD@HOST:PORT/NUMBER or amqp://USER:PASSWORD@HOST:PORT//")
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _check_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        AllowedHosts.parse(value)
        return value

    @property
    def allowed_web_hosts(self) -> AllowedHosts:
        """The hosts of `allowed_hosts`, parsed."""
        return AllowedHosts.parse(self.allowed_hosts)

    @property
    def artifacts_location(self) -> str:
        """Folder or object-store URI where uploads are stored."""
        return self.artifacts or str(self.data_dir / "artifacts")

    @property
    def cache(self) -> Path:
        """Folder where the workers of a machine store fetched files."""
        return self.cache_dir.expanduser().absolute() if self.cache_dir else self.data_dir / "cache"

    @property
    def cache_bytes(self) -> int:
        """Maximum size of the cache."""
        return int(self.cache_gib * GIB)

    @property
    def embedded(self) -> bool:
        """Whether `salience serve` starts the broker and a worker itself, since no broker URL is set."""
        return not self.broker_url

    @property
    def database(self) -> str:
        """The database URL with the password. Postgres URLs without a driver get psycopg 3."""
        if not self.database_url:
            return f"sqlite:///{self.data_dir / 'salience.sqlite'}"
        url = self.database_url
        for plain in ("postgresql://", "postgres://"):
            if url.startswith(plain):
                url = "postgresql+psycopg://" + url.removeprefix(plain)
        if self.database_password is None:
            return url
        with_password = make_url(url).set(password=self.database_password.get_secret_value())
        return with_password.render_as_string(hide_password=False)

    @property
    def roots(self) -> Roots:
        """Folders that file:// URIs may point into, without the service's own files."""
        roots = self.allowed_roots
        if not roots and self.embedded:
            roots = (Path.cwd().resolve(), self.data_dir.resolve())
        return Roots.excluding(roots, map(real_path, self._internal_paths()))

    def _internal_paths(self) -> Iterator[Path]:
        """Files of the service itself, which users may not read even below a root."""
        yield from (self.cache, *(self.data_dir / name for name in EMBEDDED_FILES))
        if "://" not in self.artifacts_location:
            yield Path(self.artifacts_location)
        if self.database.startswith("sqlite:///"):
            file = self.database.removeprefix("sqlite:///")
            yield from (Path(file + suffix) for suffix in ("", "-wal", "-shm"))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources by precedence: arguments, environment variables, then files that variables name."""
        return init_settings, env_settings, SecretFiles(settings_cls, PREFIX)

    @classmethod
    def read(cls, **given: Any) -> Self:
        """Read the settings from the environment. Arguments other than None override it. Raises SettingsInvalid."""
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})
        except ValidationError as error:
            messages = [f"{PREFIX}{'.'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in error.errors()]
            raise SettingsInvalid(detail="; ".join(messages)) from error
        except ValueError as error:
            raise SettingsInvalid(detail=str(error)) from error
