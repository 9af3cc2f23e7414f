"""A job is judged by the policy of its own tenant, even if other tenants have a policy of the same name and version."""

import pytest

from service.domain.job import Job
from service.domain.policy import Policy
from service.spec.model import JobSpec, spec_digest
from service.storage import Store
from tests.support.audits import results
from tests.support.jobs import AuditInputs
from worker.runner import Runner

STRICT, LAX = 2.0, 0.0

# The tests do not depend on the database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def spec(ingredients: AuditInputs) -> JobSpec:
    """A small audit whose gate is the policy `release` of its tenant."""
    images = {"uri": ingredients.images.as_uri(), "limit": 4}
    gate = {"policy": "release", "version": 1}
    return ingredients.spec(cohorts=[ingredients.cohort("plain", 0)], images=images, measures=["entropy"], gate=gate)


def store_policy(store: Store, tenant: str, least: float) -> None:
    """Store the policy `release` of a tenant: entropy must be at least `least`."""
    rules = [{"measure": "entropy", "op": ">=", "value": least}]
    store.for_tenant(tenant).policies.put("release", Policy.model_validate({"gate": {"rules": rules}}))


def audits(runner: Runner, spec: JobSpec, *tenants: str) -> dict[str, Job]:
    """Run the same job for each tenant. Returns the ended jobs by tenant."""
    accepted = {
        each: runner.store.for_tenant(each).jobs.accept(spec, spec_digest(spec), None)[0].id for each in tenants
    }
    while runner.work():
        pass
    return {tenant: runner.store.jobs.get(job) for tenant, job in accepted.items()}


@pytest.mark.parametrize("stop", [None, "when-decided"])
def test_a_job_is_judged_by_the_policy_of_its_own_tenant(runner: Runner, spec: JobSpec, stop: str | None) -> None:
    store_policy(runner.store, "ours", STRICT)
    store_policy(runner.store, "theirs", LAX)
    store_policy(runner.store, "", LAX)
    done = audits(runner, spec.model_copy(update={"stop": stop}), "ours", "theirs")
    rules = {tenant: results(runner.store, job)["verdict"]["rules"] for tenant, job in done.items()}
    assert {tenant: each["threshold"] for tenant, (each,) in rules.items()} == {"ours": STRICT, "theirs": LAX}


def test_a_jobs_policy_need_not_exist_for_the_default_tenant(runner: Runner, spec: JobSpec) -> None:
    store_policy(runner.store, "ours", STRICT)
    (job,) = audits(runner, spec, "ours").values()
    assert results(runner.store, job)["verdict"]["rules"][0]["threshold"] == STRICT
