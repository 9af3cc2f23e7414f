"""A job is judged by its own tenant's policy, though another tenant has one of the same name and version."""

import pytest

from service.domain.job import Job
from service.domain.policy import Policy
from service.spec.model import JobSpec, spec_digest
from service.storage import Store
from tests.support.audits import results
from tests.support.jobs import AuditInputs
from worker.runner import Runner

STRICT, LAX = 2.0, 0.0

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # which has no part in it


@pytest.fixture
def spec(ingredients: AuditInputs) -> JobSpec:
    """A small audit by its tenant's policy."""
    images = {"uri": ingredients.images.as_uri(), "limit": 4}
    gate = {"policy": "release", "version": 1}
    return ingredients.spec(cohorts=[ingredients.cohort("plain", 0)], images=images, measures=["entropy"], gate=gate)


def keep(store: Store, tenant: str, least: float) -> None:
    """Have a tenant keep its policy, under everybody's name."""
    rules = [{"measure": "entropy", "op": ">=", "value": least}]
    store.for_tenant(tenant).policies.put("release", Policy.model_validate({"gate": {"rules": rules}}))


def audits(runner: Runner, spec: JobSpec, *tenants: str) -> dict[str, Job]:
    """The same job of each tenant, done."""
    accepted = {
        each: runner.store.for_tenant(each).jobs.accept(spec, spec_digest(spec), None)[0].id for each in tenants
    }
    while runner.work():
        pass
    return {tenant: runner.store.jobs.get(job) for tenant, job in accepted.items()}


@pytest.mark.parametrize("stop", [None, "when-decided"])
def test_a_job_is_judged_by_its_own_tenants_policy_of_that_name(
    runner: Runner, spec: JobSpec, stop: str | None
) -> None:
    keep(runner.store, "ours", STRICT)
    keep(runner.store, "theirs", LAX)
    keep(runner.store, "", LAX)
    done = audits(runner, spec.model_copy(update={"stop": stop}), "ours", "theirs")
    rules = {tenant: results(runner.store, job)["verdict"]["rules"] for tenant, job in done.items()}
    assert {tenant: each["threshold"] for tenant, (each,) in rules.items()} == {"ours": STRICT, "theirs": LAX}


def test_a_job_needs_no_policy_of_the_default_tenant(runner: Runner, spec: JobSpec) -> None:
    keep(runner.store, "ours", STRICT)
    (job,) = audits(runner, spec, "ours").values()
    assert results(runner.store, job)["verdict"]["rules"][0]["threshold"] == STRICT
