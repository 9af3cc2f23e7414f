"""Audits registered model versions by policy, and writes the verdicts to the registry as tags.

Every step is stored, so any API process can continue. Updates that the registry does not accept are retried later.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import ValidationError

from service.domain.job import JobState
from service.domain.policy import CANDIDATE, StoredPolicy
from service.errors import FieldProblem, JobNotFound, RegistryUnavailable, SpecInvalid
from service.gate import Outcome
from service.integrations.mlflow.client import READY, MlflowClient, ModelVersion
from service.integrations.mlflow.selection import policy_for, to_like_pattern, versions_of_cohort
from service.integrations.mlflow.tags import VERDICT, refusal_tags, tags_for_job
from service.jobs.service import Jobs
from service.queue.periodic import running_periodically
from service.spec.model import JobSpec, spec_digest
from service.storage.registry import RegistryVersion, VersionState

LEASE_SECONDS = 120.0
RECONCILE_TASK = "reconcile the registry"
KEY_PREFIX = "\x1eregistry:"  # no user can send an Idempotency-Key with a control character
MAX_NEW_VERSIONS = 20  # new versions per search, so that a large registry is not audited all at once

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RegistrySync:
    """Runs the next step of each registered version: submit its audit, or write the verdict as tags."""

    jobs: Jobs
    registry: MlflowClient
    public_url: str
    round_seconds: float
    pause: float

    def step(self) -> float:
        """Search the registry and process versions, if due. Returns the seconds until the next step."""
        store = self.jobs.store.registry
        if store.is_due(RECONCILE_TASK, self.round_seconds):
            try:
                self.reconcile()
            except RegistryUnavailable as reason:
                log.warning("Could not search the registry: %s", reason)
        while (version := store.claim(LEASE_SECONDS)) is not None:
            try:
                self._process(version)
            except RegistryUnavailable as reason:
                log.warning("%s version %s waits: %s", version.name, version.version, reason)
                store.postpone(version, str(reason))
                break  # other versions would fail likewise
        return self.pause

    def reconcile(self) -> None:
        """Enqueue versions without a verdict, whose webhook delivery was lost or came before the policy existed."""
        policies, count = self.jobs.store.policies.newest(), 0
        for pattern in {to_like_pattern(each.policy.registry.models) for each in policies if each.policy.registry}:
            for version in self.registry.versions(pattern):
                if count >= MAX_NEW_VERSIONS:
                    return
                needs_audit = version.status == READY and VERDICT not in version.tags
                if needs_audit and policy_for(version.name, policies):
                    count += self.jobs.store.registry.notice(version.name, version.version)

    def _process(self, version: RegistryVersion) -> None:
        if version.state is VersionState.NOTICED:
            self._audit(version)
        else:
            self._write_tags(version)

    def _audit(self, version: RegistryVersion) -> None:
        """Submit the job that audits a version. Versions of one cohort share a job."""
        store = self.jobs.store.registry
        policy = policy_for(version.name, self.jobs.store.policies.newest())
        found = self.registry.version(version.name, version.version) if policy else None
        if policy is None or found is None:
            store.delete(version)
            return
        if found.status != READY:
            store.postpone(version, f"the version has status {found.status}")
            return
        used = (policy.name, policy.version)
        try:
            store.mark_audited(version, used, self._submit(policy, found), None)
        except SpecInvalid as refused:
            store.mark_audited(version, used, None, str(refused))

    def _submit(self, policy: StoredPolicy, version: ModelVersion) -> str:
        """Submit the job, unless it was submitted for another version of the cohort. Returns the job's ID.
        Raises SpecInvalid.
        """
        cohorts = self._cohorts(policy, version)
        named_cohorts = [(name, [f"models:/{version.name}/{each}" for each in versions]) for name, versions in cohorts]
        naming = {"name": f"{version.name} {', '.join(cohorts[0][1])}"[:200], "labels": {"model": version.name[:200]}}
        body = {**naming, **policy.policy.spec(policy.name, policy.version, named_cohorts)}
        try:
            spec = JobSpec.model_validate(body)
        except ValidationError as error:
            raise SpecInvalid([FieldProblem.at(each["loc"], each["msg"]) for each in error.errors()]) from error
        key = f"{KEY_PREFIX}{spec_digest(spec)}"
        job = self.jobs.submit(spec, key)
        while job.state in (JobState.FAILED, JobState.CANCELLED):  # such a job has no verdict; submit a new one
            job = self.jobs.submit(spec, f"{key}:{job.id}")
        return job.id

    def _cohorts(self, policy: StoredPolicy, version: ModelVersion) -> list[tuple[str, Sequence[str]]]:
        """Return the candidate cohort, and the baseline if it exists and shares no version with the candidate."""
        assert policy.policy.registry is not None
        alias = policy.policy.registry.baseline_alias
        versions = [each for each in self.registry.versions(version.name) if each.name == version.name]
        candidate = versions_of_cohort(version, versions)
        baseline = self.registry.aliased(version.name, alias) if alias else None
        cohorts: list[tuple[str, Sequence[str]]] = [(CANDIDATE, candidate)]
        if alias and baseline and not set(versions_of_cohort(baseline, versions)) & set(candidate):
            cohorts.append((alias, versions_of_cohort(baseline, versions)))
        return cohorts

    def _write_tags(self, version: RegistryVersion) -> None:
        """Write the tags of a version whose job has ended, and its alias if it passed."""
        store = self.jobs.store.registry
        try:
            job, refusal = version.job, version.refusal or ""
            tags = tags_for_job(self.jobs, job, self.public_url) if job else refusal_tags(refusal)
        except JobNotFound:
            store.restart(version)
            return
        for key, value in tags.items():
            self.registry.set_tag(version.name, version.version, key, value)
        if tags[VERDICT] == Outcome.PASS:
            self._promote(version)
        store.delete(version)

    def _promote(self, version: RegistryVersion) -> None:
        """Assign the policy's alias to a version that passed, unless a later version has it."""
        assert version.policy is not None
        policy = self.jobs.store.policies.get(*version.policy).policy
        alias = policy.registry.alias_on_pass if policy.registry else None
        if alias:
            holder = self.registry.aliased(version.name, alias)
            if holder is None or int(holder.version) < int(version.version):
                self.registry.set_alias(version.name, alias, version.version)


@contextmanager
def running_sync(sync: RegistrySync) -> Iterator[None]:
    """Run the sync in a thread while this context is open."""
    with running_periodically("registry sync", sync.step, sync.pause):
        yield
