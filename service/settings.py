"""Settings, read once from the environment (prefix SALIENCE_) at a process's door."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import ByteSize, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from sqlalchemy import make_url

from service.database_settings import DatabaseSettings
from service.errors import SettingsInvalid
from service.inputs.roots import Roots, real_path
from service.job_limits import JobLimits
from service.net.allowed_hosts import AllowedHosts, is_loopback
from service.secret_files import SecretFiles
from service.telemetry.logs import LogFormat, LogLevel

PREFIX = "SALIENCE_"
SecretKey = Annotated[str, Field(min_length=32)]
GIB, MIB = 2**30, 2**20
HOUR, DAY = 3600, 86400
# Celery would take more, which ask for packages that are not there.
BROKER = re.compile(r"(redis|amqp)s?://([^/?#]*@)?(\[[\da-fA-F:.]+\]|[^/?#@:]*)(:\d{1,5})?([/?#].*)?")
OWN_FILES = ("lock", "secret-key")  # of the embedded service, in its data directory


class StoreSettings(DatabaseSettings):
    """What the API and the workers share. Without URLs: SQLite, and a broker that `serve` brings."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, allow_inf_nan=False, use_attribute_docstrings=True)

    data_dir: Path = Path("~/.local/share/salience")
    """Folder for the state of the embedded service: its database, uploads, cache and secret key."""
    database_url: str = ""
    """`postgresql://USER:PASSWORD@HOST/DATABASE`, or `sqlite:///PATH`. Default: SQLite in the data directory."""
    database_password: SecretStr | None = None
    """Password of the database user, so that the URL need not contain it. It may hold any characters."""
    broker_url: str = ""
    """`redis://...` or, for RabbitMQ, `amqp://...`. Default: none, which makes `salience serve` run the embedded
    service."""
    allowed_roots: Annotated[tuple[Path, ...], NoDecode] = ()
    """Folders, separated by `:`, that `file://` URIs may point into. Default: none; embedded, the working directory and
    the data directory."""
    lease_seconds: float = Field(default=30.0, ge=0.5, le=DAY)
    """Seconds without a heartbeat after which the shard of a worker is given to another worker."""
    sweep_seconds: float = Field(default=2.0, gt=0, le=HOUR)
    """Seconds between two searches of each API process and worker for work that no notification announced."""
    max_worker_crashes: int = Field(default=3, ge=1)
    """Number of workers that one shard may crash before its job fails."""
    retention_days: float = Field(default=90.0, gt=0)
    """Days after which ended jobs are deleted with their results, and uploads that no stored job or policy names."""
    idempotency_key_hours: float = Field(default=24.0, gt=0)
    """Hours for which an `Idempotency-Key` is remembered."""
    artifacts: str = ""
    """Where uploads are stored: a folder that the API and the workers share, or `s3://BUCKET/PREFIX`. Default:
    `artifacts` in the data directory."""
    cache_dir: Path | None = None
    """Folder where the workers of a machine store what they fetched. Default: `cache` in the data directory."""
    cache_gib: float = Field(default=50.0, gt=0)
    """Size of that cache in GiB. Files that are being fetched or used come on top."""
    log_format: LogFormat = "plain"
    """`plain`, or `json` for one JSON object a line with the IDs of request, job and shard."""
    log_level: LogLevel = "info"
    """`debug`, `info`, `warning` or `error`."""
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Hosts, addresses and networks, separated by commas, that may be contacted for users although they are not public.
    Default: none."""
    fetch_seconds: float = Field(default=3600.0, gt=0)
    """Seconds that one connection to the web may take in all."""
    max_job_images: int = Field(default=2_000_000, ge=1)
    """Maximum number of images of one job, all its image sets together."""

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

    @field_validator("broker_url")
    @classmethod
    def _check_broker(cls, value: str) -> str:
        if value and not all(map(BROKER.fullmatch, value.split(";"))):
            raise ValueError("write redis://:PASSWORD@HOST:PORT/NUMBER or amqp://USER:PASSWORD@HOST:PORT//")
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

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _list(cls, value: object) -> object:
        """Hosts with commas between."""
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @field_validator("allowed_hosts")
    @classmethod
    def _check_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        AllowedHosts.parse(value)
        return value

    @property
    def allowed_web_hosts(self) -> AllowedHosts:
        """What of the web may be asked on behalf of users, beside what is public."""
        return AllowedHosts.parse(self.allowed_hosts)

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
        url = self.database_url
        for plain in ("postgresql://", "postgres://"):
            if url.startswith(plain):
                url = "postgresql+psycopg://" + url.removeprefix(plain)
        if self.database_password is None:
            return url
        whole = make_url(url).set(password=self.database_password.get_secret_value())
        return whole.render_as_string(hide_password=False)

    @property
    def roots(self) -> Roots:
        """Folders that file:// URIs may point into; embedded, the working and the data directory by default."""
        roots = self.allowed_roots
        if not roots and self.embedded:
            roots = (Path.cwd().resolve(), self.data_dir.resolve())
        return Roots.excluding(roots, map(real_path, self._internal_paths()))

    def _internal_paths(self) -> Iterator[Path]:
        """What is the service's own, and may lie below the roots."""
        yield from (self.cache, *(self.data_dir / name for name in OWN_FILES))
        if "://" not in self.artifacts_location:
            yield Path(self.artifacts_location)
        if self.database.startswith("sqlite:///"):
            file = self.database.removeprefix("sqlite:///")
            yield from (Path(file + more) for more in ("", "-wal", "-shm"))

    @classmethod
    def settings_customise_sources(  # as pydantic calls it
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given, then the environment, then the files that it names."""
        return init_settings, env_settings, SecretFiles(settings_cls, PREFIX)

    @classmethod
    def read(cls, **given: Any) -> Self:
        """The settings in the environment; what is given comes first, unless it is None. Raises SettingsInvalid."""
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})
        except ValidationError as error:
            messages = [f"{PREFIX}{'.'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in error.errors()]
            raise SettingsInvalid(detail="; ".join(messages)) from error
        except ValueError as error:
            raise SettingsInvalid(detail=str(error)) from error


class ServiceSettings(StoreSettings):
    """What the API alone needs."""

    host: str = "127.0.0.1"
    """Address that the API listens on."""
    port: int = Field(default=8000, ge=0, le=65535)
    """Port that the API listens on."""
    max_artifact_gib: float = Field(default=20.0, gt=0)
    """Maximum size of an upload in GiB."""
    require_keys: bool = False
    """Whether requests from this machine need an API key even before the first key exists. The API's image sets it to
    true."""
    rate_limit_per_minute: int = Field(default=1200, ge=0)
    """Maximum requests per minute and API key; 0 disables the limit."""
    max_body_mib: float = Field(default=4.0, gt=0)
    """Maximum size of a request body in MiB, uploads excepted."""
    max_open_jobs: int = Field(default=1000, ge=1)
    """Maximum number of queued and running jobs of a tenant."""
    max_job_runs: int = Field(default=200, ge=1)
    """Maximum number of runs of one job, all its cohorts together."""
    public_url: str = Field(default="", pattern="^(https?://.+)?$")
    """URL of the service as others reach it. Webhooks and MLflow tags link to it. Default: none."""
    mlflow_secret: str = ""
    """Secret that MLflow signs its webhook deliveries with. Default: none, which disables `/v1/hooks/mlflow`.
    `MLFLOW_TRACKING_URI` says where MLflow is."""
    reconcile_seconds: float = Field(default=300.0, gt=0, le=DAY)
    """Seconds between two searches in MLflow for model versions without a verdict."""
    secret_keys: Annotated[tuple[SecretKey, ...], NoDecode] = ()
    """Keys of at least 32 characters, separated by commas, newest first, from which the secrets of webhooks are
    derived. Default: none; the embedded service makes one in its data directory."""

    @field_validator("secret_keys", mode="before")
    @classmethod
    def _separate(cls, value: object) -> object:
        """Keys with commas between."""
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @property
    def keys_required(self) -> bool:
        """Whether a key is asked of everybody: others than this machine can reach it, or the operator says so."""
        return self.require_keys or not is_loopback(self.host)

    @property
    def max_body_bytes(self) -> int:
        """How large a request's body may be, uploads left out."""
        return int(self.max_body_mib * MIB)

    @property
    def job_limits(self) -> JobLimits:
        """How much a job may be."""
        return JobLimits(self.max_job_runs, self.max_open_jobs, self.max_artifact_bytes)

    @property
    def max_artifact_bytes(self) -> int:
        """How large an upload may be."""
        return int(self.max_artifact_gib * GIB)


class WorkerSettings(StoreSettings):
    """What a worker alone needs."""

    processes: int | None = Field(default=None, ge=1)
    """Number of shards that a worker processes at once. Each process loads its own models and, on a CPU, uses one
    thread, so that no number depends on it. Default: one per GPU, or one per CPU core, at most 8."""
    batch_size: int | None = Field(default=None, ge=1, le=1024)
    """Number of images that are scored together; no number depends on it. Default: what fits in memory."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, or one GPU such as `cuda:1`."""
    memory_limit: ByteSize | None = Field(default=None, ge=2**28)
    """Address space of a worker process, such as `8GiB`. When memory runs short, the worker scores fewer images at
    once. Default: none."""
    shutdown_grace_seconds: float = Field(default=25.0, gt=0)
    """Seconds that a worker may take to give its shard back when it is asked to stop."""
    model_memory_gib: float = Field(default=16.0, gt=0)
    """Memory in GiB that loading a model may take."""
    model_seconds: float = Field(default=300.0, gt=0)
    """Seconds that loading a model may take."""
    metrics_host: str = "127.0.0.1"
    """Address on which a worker serves Prometheus metrics."""
    metrics_port: int | None = Field(default=None, ge=1, le=65535)
    """First port for these metrics; process n of the worker uses this port + n. Default: none. The API serves its own
    metrics at `/metrics`."""
