"""How much one job may be, and how many of them a tenant may have."""

from dataclasses import dataclass


@dataclass(frozen=True)
class JobLimits:
    """Runs of one job in all, jobs of a tenant that are queued or running, bytes of an upload."""

    runs: int
    open_jobs: int
    artifact_bytes: int
