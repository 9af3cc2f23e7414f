"""Time limits of the connections to the database."""

from dataclasses import dataclass

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

HOUR, DAY = 3600, 86400


@dataclass(frozen=True)
class Timeouts:
    """Limits in seconds; DatabaseSettings describes each of them."""

    connect: int = 5
    tcp: float = 20.0
    keepalive: int = 10
    statement: float = 60.0
    long_statement: float = float(HOUR)
    lock: float = 30.0


DEFAULT = Timeouts()


class DatabaseSettings(BaseSettings):
    """Time limits of database connections. A limit whose description names Postgres has no effect on SQLite."""

    model_config = SettingsConfigDict(use_attribute_docstrings=True)

    database_connect_timeout_seconds: int = Field(default=DEFAULT.connect, ge=2, le=HOUR)
    """Seconds that opening a Postgres connection may take."""
    database_tcp_timeout_seconds: float = Field(default=DEFAULT.tcp, ge=1, le=HOUR)
    """Seconds that data sent to Postgres may stay unacknowledged."""
    database_keepalive_seconds: int = Field(default=DEFAULT.keepalive, ge=1, le=HOUR)
    """Seconds between two probes of an idle Postgres connection."""
    database_statement_timeout_seconds: float = Field(default=DEFAULT.statement, ge=0.1, le=DAY)
    """Seconds that a Postgres statement may take."""
    database_long_statement_timeout_seconds: float = Field(default=DEFAULT.long_statement, ge=0.1, le=7 * DAY)
    """Seconds that a Postgres statement over all rows of a job may take, for example to build the job's results."""
    database_lock_timeout_seconds: float = Field(default=DEFAULT.lock, ge=0.1, le=DAY)
    """Seconds that a statement may wait for another transaction."""

    @property
    def database_timeouts(self) -> Timeouts:
        """The limits in the form that the storage expects."""
        return Timeouts(
            connect=self.database_connect_timeout_seconds,
            tcp=self.database_tcp_timeout_seconds,
            keepalive=self.database_keepalive_seconds,
            statement=self.database_statement_timeout_seconds,
            long_statement=self.database_long_statement_timeout_seconds,
            lock=self.database_lock_timeout_seconds,
        )
