"""Limits on one job and on the jobs of one tenant."""

from dataclasses import dataclass


@dataclass(frozen=True)
class JobLimits:
    """Maximum runs of one job, maximum queued and running jobs of a tenant, and maximum bytes of an upload."""

    max_runs: int
    max_open_jobs: int
    max_artifact_bytes: int
