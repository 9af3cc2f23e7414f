"""Settings, read once from the environment (prefix SALIENCE_) at a process's door."""

import os
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import ByteSize, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.errors import SettingsInvalid

PREFIX = "SALIENCE_"
GIB = 2**30


class StoreSettings(BaseSettings):
    """What the API and the workers share. Without URLs: SQLite, and a broker that `serve` brings."""

    model_config = SettingsConfigDict(env_prefix=PREFIX)

    data_dir: Path = Path("~/.local/share/salience")
    database_url: str = ""
    broker_url: str = ""
    allowed_roots: Annotated[tuple[Path, ...], NoDecode] = ()
    lease_seconds: float = Field(default=30.0, ge=0.5)
    sweep_seconds: float = Field(default=2.0, gt=0)
    max_deaths: int = Field(default=3, ge=1)
    keep_days: float = Field(default=90.0, gt=0)
    key_hours: float = Field(default=24.0, gt=0)
    artifacts: str = ""
    cache_dir: Path | None = None
    cache_gib: float = Field(default=50.0, gt=0)

    @field_validator("data_dir")
    @classmethod
    def _expand(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("database_url")
    @classmethod
    def _check(cls, value: str) -> str:
        if value and not value.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://", "postgres://")):
            raise ValueError("write postgresql://USER:PASSWORD@HOST/DATABASE or sqlite:///PATH")
        return value

    @field_validator("allowed_roots", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Paths separated as in PATH."""
        return tuple(part for part in value.split(os.pathsep) if part) if isinstance(value, str) else value

    @field_validator("allowed_roots")
    @classmethod
    def _resolve(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        return tuple(root.expanduser().resolve() for root in value)

    @property
    def artifacts_location(self) -> str:
        """Where uploads are kept: a folder that API and workers share, or the URI of an object store."""
        return self.artifacts or str(self.data_dir / "artifacts")

    @property
    def cache(self) -> Path:
        """Where the workers of a machine keep what they fetched."""
        return self.cache_dir.expanduser().absolute() if self.cache_dir else self.data_dir / "cache"

    @property
    def cache_bytes(self) -> int:
        """How much of it they may keep."""
        return int(self.cache_gib * GIB)

    @property
    def embedded(self) -> bool:
        """Without a broker's URL, `serve` brings the broker and the worker itself."""
        return not self.broker_url

    @property
    def database(self) -> str:
        """The URL in force; psycopg 3 is the driver of plain postgresql:// URLs."""
        if not self.database_url:
            return f"sqlite:///{self.data_dir / 'salience.sqlite'}"
        for plain in ("postgresql://", "postgres://"):
            if self.database_url.startswith(plain):
                return "postgresql+psycopg://" + self.database_url.removeprefix(plain)
        return self.database_url

    @property
    def roots(self) -> tuple[Path, ...]:
        """Folders that file:// URIs may point into; embedded, the working and the data directory by default."""
        if self.allowed_roots or not self.embedded:
            return self.allowed_roots
        return (Path.cwd().resolve(), self.data_dir.resolve())

    @classmethod
    def read(cls, **given: Any) -> Self:
        """The settings in the environment; what is given comes first, unless it is None. Raises SettingsInvalid."""
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})
        except ValidationError as error:
            told = [f"{PREFIX}{'.'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in error.errors()]
            raise SettingsInvalid(detail="; ".join(told)) from error


class ServiceSettings(StoreSettings):
    """What the API alone needs."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    artifact_gib: float = Field(default=20.0, gt=0)

    @property
    def artifact_bytes(self) -> int:
        """How large an upload may be."""
        return int(self.artifact_gib * GIB)


class WorkerSettings(StoreSettings):
    """What a worker alone needs."""

    processes: int | None = Field(default=None, ge=1)
    batch_size: int | None = Field(default=None, ge=1, le=1024)
    device: str = "auto"
    memory_limit: ByteSize | None = Field(default=None, ge=2**28)
    stop_seconds: float = Field(default=25.0, gt=0)
    model_memory_gib: float = Field(default=16.0, gt=0)
    model_seconds: float = Field(default=300.0, gt=0)
