"""Other requests run between the statements of a submission: it has the outcome that it would have before or after."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from pathlib import Path

import pytest

from service.api.routes.jobs import PRINTABLE
from service.artifacts.store import ArtifactStore
from service.domain.job import OPEN_STATES, Job, JobState
from service.domain.policy import Policy
from service.errors import IdempotencyKeyReused, SpecInvalid, TooManyJobs
from service.integrations.mlflow.sync import KEY_PREFIX
from service.jobs.service import Jobs
from service.jobs.validation.fields import InputLocator
from service.jobs.validation.references import reference_problems
from service.queue.notifier import WorkNotifier
from service.settings import ServiceSettings
from service.spec.model import JobSpec
from service.storage import JobQuery, Store
from tests.support.image_sets import upload
from tests.support.interleaving import acting_between_statements
from tests.support.jobs import AuditInputs

KEY, MAX_OPEN_JOBS = "one", 1
REFUSALS = (IdempotencyKeyReused, SpecInvalid, TooManyJobs)


@dataclass(frozen=True)
class Scene:
    """The use cases of two tenants, of which each may have one open job, and a valid spec of both."""

    ours: Jobs
    theirs: Jobs
    plain: JobSpec

    def submit(self, spec: JobSpec, key: str | None = KEY) -> Job | None:
        """Submit a job of `ours`. Returns None if the service refuses it."""
        try:
            return self.ours.submit(spec, key)
        except REFUSALS:
            return None

    def open_jobs(self) -> list[Job]:
        return [job for job in self.ours.store.jobs.find(JobQuery()).jobs if job.state in OPEN_STATES]

    def submit_plain(self) -> None:
        self.submit(self.plain)

    def delete(self) -> None:
        for job in self.ours.store.jobs.find(JobQuery()).jobs:
            self.ours.store.jobs.delete(job.id)

    def cancel(self) -> None:
        for job in self.open_jobs():
            self.ours.cancel(job.id)

    def delete_and_submit_without_key(self) -> None:
        self.delete()
        self.submit(self.plain, None)

    def cancel_and_submit_without_key(self) -> None:
        self.cancel()
        self.submit(self.plain, None)


@pytest.fixture
def scene(store: Store, ingredients: AuditInputs, tmp_path: Path) -> Scene:
    inputs = InputLocator((Path("/"),), ArtifactStore(str(tmp_path / "artifacts")))
    limits = replace(ServiceSettings().job_limits, max_open_jobs=MAX_OPEN_JOBS)
    jobs = Jobs(store, WorkNotifier("memory://"), inputs, limits)
    return Scene(jobs.for_tenant("ours"), jobs.for_tenant("theirs"), ingredients.spec(measures=["entropy"]))


def outcomes(scene: Scene, spec: JobSpec, *acts: Callable[[], object]) -> list[Job | None]:
    """Submit a spec while the acts run in this order, for each choice of statements before which they start.

    Checks after each submission that all open jobs are valid and within the limit. Returns what the service answered.
    """
    found: list[Job | None] = []
    count = statements_of(scene, spec)
    for places in combinations_with_replacement(range(count + 1), len(acts)):
        scene.delete()
        with acting_between_statements(scene.ours.store.database.engine, zip(places, acts, strict=True)):
            found.append(scene.submit(spec))
        jobs = scene.open_jobs()
        assert len(jobs) <= MAX_OPEN_JOBS, f"{len(jobs)} open jobs; acts before statements {places}"
        for job in jobs:
            assert not reference_problems(job.spec, scene.ours.store), f"acts before statements {places}"
    return found


def statements_of(scene: Scene, spec: JobSpec) -> int:
    with acting_between_statements(scene.ours.store.database.engine, ()) as moment:
        scene.submit(spec)
    return moment.number


def test_no_interleaving_with_one_key_exceeds_the_limit_of_open_jobs(scene: Scene) -> None:
    theirs = scene.theirs.submit(scene.plain, KEY)
    answers = outcomes(scene, scene.plain, scene.submit_plain, scene.delete_and_submit_without_key)
    answers += outcomes(scene, scene.plain, scene.cancel_and_submit_without_key)
    assert {job.tenant for job in answers if job} == {"ours"}
    assert theirs.id not in {job.id for job in answers if job}
    assert scene.theirs.store.jobs.get(theirs.id).state is JobState.QUEUED


def test_no_interleaving_with_one_key_accepts_an_artifact_of_another_tenant(
    scene: Scene, ingredients: AuditInputs
) -> None:
    uri = upload(scene.theirs.artifacts, ingredients.models[0].read_bytes())
    spec = ingredients.spec(cohorts=[{**ingredients.cohort("plain", 0), "runs": [{"uri": uri}]}])
    assert set(outcomes(scene, spec, scene.submit_plain, scene.delete)) == {None}


def test_a_job_is_checked_with_the_version_of_the_policy_that_it_stores(scene: Scene, ingredients: AuditInputs) -> None:
    def put(cohort: str) -> None:
        rule = {"measure": "entropy", "cohort": cohort, "op": ">=", "value": 0}
        scene.ours.store.policies.put("p", Policy.model_validate({"gate": {"rules": [rule]}}))

    put("plain")
    spec = ingredients.spec(measures=["entropy"], gate={"policy": "p"})
    answers = outcomes(scene, spec, lambda: put("missing"), lambda: put("plain"))
    assert None in answers
    assert any(answers)


def test_no_user_can_send_an_idempotency_key_of_the_registry() -> None:
    assert re.fullmatch(PRINTABLE, "registry:1")
    assert not re.fullmatch(PRINTABLE, f"{KEY_PREFIX}1")
