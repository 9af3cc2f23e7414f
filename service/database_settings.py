"""How long the database may keep a process waiting, as settings."""

from dataclasses import dataclass

from pydantic import Field
from pydantic_settings import BaseSettings

HOUR, DAY = 3600, 86400


@dataclass(frozen=True)
class Timeouts:
    """Limits in seconds; DatabaseSettings describes each."""

    connect: int = 5
    tcp: float = 20.0
    keepalive: int = 10
    statement: float = 60.0
    long_statement: float = float(HOUR)
    lock: float = 30.0


DEFAULT = Timeouts()


class DatabaseSettings(BaseSettings):
    """The limits of database connections. Those of Postgres alone say so."""

    database_connect_timeout_seconds: int = Field(
        default=DEFAULT.connect, ge=2, le=HOUR, description="Postgres: how long opening a connection may take"
    )
    database_tcp_timeout_seconds: float = Field(
        default=DEFAULT.tcp, ge=1, le=HOUR, description="Postgres: how long sent data may stay unacknowledged"
    )
    database_keepalive_seconds: int = Field(
        default=DEFAULT.keepalive, ge=1, le=HOUR, description="Postgres: how often an idle connection is probed"
    )
    database_statement_timeout_seconds: float = Field(
        default=DEFAULT.statement, ge=0.1, le=DAY, description="Postgres: how long a statement may take"
    )
    database_long_statement_timeout_seconds: float = Field(
        default=DEFAULT.long_statement, ge=0.1, le=7 * DAY,
        description="Postgres: how long a statement over all rows of a job may take, such as those of its summary",
    )  # fmt: skip
    database_lock_timeout_seconds: float = Field(
        default=DEFAULT.lock, ge=0.1, le=DAY, description="how long a statement may wait for another transaction"
    )

    @property
    def database_timeouts(self) -> Timeouts:
        """The limits for the storage."""
        return Timeouts(
            connect=self.database_connect_timeout_seconds,
            tcp=self.database_tcp_timeout_seconds,
            keepalive=self.database_keepalive_seconds,
            statement=self.database_statement_timeout_seconds,
            long_statement=self.database_long_statement_timeout_seconds,
            lock=self.database_lock_timeout_seconds,
        )
