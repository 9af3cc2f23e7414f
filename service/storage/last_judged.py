"""The job that each policy judged last, among the newest."""

from collections.abc import Collection

from sqlalchemy import func, select

from service.domain.job import OPEN_STATES, Job
from service.storage.database import Database
from service.storage.jobs import to_job
from service.storage.tables.jobs import JobRow

MAX_JOBS = 2_000  # jobs that are looked through, so that a policy that judged none for long takes no longer


def last_job_by_policy(database: Database, policies: Collection[str]) -> dict[str, Job]:
    """By policy, the newest job of its that has ended."""
    policy = JobRow.spec["gate"]["policy"].as_string()
    newest = select(func.max(JobRow.number) - MAX_JOBS).scalar_subquery()
    ended = (
        JobRow.forgotten.is_not(True),
        JobRow.state.not_in(OPEN_STATES),
        JobRow.number > newest,
        policy.in_(policies),
    )
    last = select(func.max(JobRow.number)).where(*ended).group_by(policy)
    with database.read() as session:
        jobs = [to_job(row) for row in session.scalars(select(JobRow).where(JobRow.number.in_(last)))]
    return {job.spec.gate.policy: job for job in jobs if job.spec.gate and job.spec.gate.policy}
