"""How much one job may be, and how many of them a tenant may have."""

from dataclasses import dataclass


@dataclass(frozen=True)
class JobLimits:
    """Runs of one job in all, jobs of a tenant that are queued or running, bytes of an upload."""

    max_runs: int
    max_open_jobs: int
    max_artifact_bytes: int
