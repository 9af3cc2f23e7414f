"""Settings of the API process."""

from typing import Annotated

from pydantic import Field

from service.net.allowed_hosts import is_loopback
from service.settings.database import DAY
from service.settings.limits import JobLimits
from service.settings.store import GIB, CommaSeparated, StoreSettings

MIB = 2**20
SecretKey = Annotated[str, Field(min_length=32)]


class ServiceSettings(StoreSettings):
    """The shared settings, and the settings of the API only."""

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
    """Maximum number of runs of one job, in all its cohorts together."""
    public_url: str = Field(default="", pattern="^(https?://.+)?$")
    """URL of the service for other machines. Webhooks and MLflow tags link to it. Default: none."""
    mlflow_secret: str = ""
    """Secret that MLflow signs its webhook deliveries with. Default: none, which disables `/v1/hooks/mlflow`.
    `MLFLOW_TRACKING_URI` is the URL of MLflow."""
    reconcile_seconds: float = Field(default=300.0, gt=0, le=DAY)
    """Seconds between two searches in MLflow for model versions without a verdict."""
    secret_keys: CommaSeparated[SecretKey] = ()
    """Keys of at least 32 characters, separated by commas, newest first, from which the secrets of webhooks are
    derived. Default: none; the embedded service makes one in its data directory."""

    @property
    def keys_required(self) -> bool:
        """Whether every request needs a key: other machines can reach the API, or the operator requires it."""
        return self.require_keys or not is_loopback(self.host)

    @property
    def max_body_bytes(self) -> int:
        """Maximum size of a request body, uploads excepted."""
        return int(self.max_body_mib * MIB)

    @property
    def job_limits(self) -> JobLimits:
        """Limits on a job and on the jobs of a tenant."""
        return JobLimits(self.max_job_runs, self.max_open_jobs, self.max_artifact_bytes)

    @property
    def max_artifact_bytes(self) -> int:
        """Maximum size of an upload."""
        return int(self.max_artifact_gib * GIB)
