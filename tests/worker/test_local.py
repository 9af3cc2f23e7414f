"""Audits without a server, in one process and in several."""

import multiprocessing

import pytest

from service.domain.job import Job, JobState
from service.errors import WorkFailed
from tests.support.jobs import AuditInputs
from worker.local import local_audit
from worker.settings import WorkerSettings


def summary(ingredients: AuditInputs, processes: int) -> str:
    with local_audit(ingredients.spec(), WorkerSettings(device="cpu", processes=processes)) as audit:
        assert audit.run().state is JobState.SUCCEEDED, audit.job_state().error
        return (audit.store.jobs.summary(audit.job) or "").replace(audit.job, "")


def test_several_processes_give_the_same_results_as_one(ingredients: AuditInputs) -> None:
    assert summary(ingredients, 3) == summary(ingredients, 1)


def test_a_local_audit_reports_its_progress(ingredients: AuditInputs) -> None:
    states: list[Job] = []
    with local_audit(ingredients.spec(), WorkerSettings(device="cpu", processes=2)) as audit:
        audit.run(states.append)
    assert {job.images_total for job in states} == {12}


def test_a_crashed_process_ends_the_audit_with_an_error(ingredients: AuditInputs) -> None:
    def kill_one(_: Job) -> None:
        multiprocessing.active_children()[0].kill()

    with (
        local_audit(ingredients.spec(), WorkerSettings(device="cpu", processes=2)) as audit,
        pytest.raises(WorkFailed, match="status -9; check whether memory"),
    ):
        audit.run(kill_one)
    assert not multiprocessing.active_children()
