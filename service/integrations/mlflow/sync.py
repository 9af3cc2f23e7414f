"""Leads model versions from being noticed to their verdicts: audits them by policy and tells the registry.

Any API process may, since every step is kept. What the registry does not take now it is told later.
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
from service.integrations.mlflow.tags import refusal_tags, tags_for_job
from service.integrations.mlflow.words import VERDICT
from service.jobs.service import Jobs
from service.queue.periodic import running_periodically
from service.spec.model import JobSpec, spec_digest
from service.storage.registry import RegistryVersion, VersionState

LEASE_SECONDS = 120.0
RECONCILE_TASK = "reconcile the registry"
MAX_NEW_VERSIONS = 20  # versions that one round finds, so that a registry's past is not audited all at once

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RegistrySync:
    """Does for each version what comes next."""

    jobs: Jobs
    registry: MlflowClient
    public_url: str
    round_seconds: float
    pause: float

    def step(self) -> float:
        """Look through the registry where it is time, and do all that is due. Returns the seconds until the next."""
        kept = self.jobs.store.registry
        if kept.is_due(RECONCILE_TASK, self.round_seconds):
            try:
                self.reconcile()
            except RegistryUnavailable as reason:
                log.warning("The registry was not looked through: %s", reason)
        while (version := kept.claim(LEASE_SECONDS)) is not None:
            try:
                self._process(version)
            except RegistryUnavailable as reason:
                log.warning("%s %s waits: %s", version.name, version.version, reason)
                kept.postpone(version, str(reason))
                break  # the others would meet the same
        return self.pause

    def reconcile(self) -> None:
        """Notice versions that have no verdict: what the registry told of them was lost, or came before the policy."""
        policies, found = self.jobs.store.policies.newest(), 0
        for pattern in {to_like_pattern(each.policy.registry.models) for each in policies if each.policy.registry}:
            for version in self.registry.versions(pattern):
                if found >= MAX_NEW_VERSIONS:
                    return
                wanted = version.status == READY and VERDICT not in version.tags
                if wanted and policy_for(version.name, policies):
                    found += self.jobs.store.registry.notice(version.name, version.version)

    def _process(self, version: RegistryVersion) -> None:
        if version.state is VersionState.NOTICED:
            self._audit(version)
        else:
            self._write_tags(version)

    def _audit(self, version: RegistryVersion) -> None:
        """Submit the job of a version; one that another version of its cohort has brought is the same."""
        kept = self.jobs.store.registry
        policy = policy_for(version.name, self.jobs.store.policies.newest())
        found = self.registry.version(version.name, version.version) if policy else None
        if policy is None or found is None:
            kept.delete(version)
            return
        if found.status != READY:
            kept.postpone(version, f"its status is {found.status}")
            return
        used = (policy.name, policy.version)
        try:
            kept.mark_audited(version, used, self._submit(policy, found), None)
        except SpecInvalid as refused:
            kept.mark_audited(version, used, None, str(refused))

    def _submit(self, policy: StoredPolicy, version: ModelVersion) -> str:
        """The ID of the job. Raises SpecInvalid."""
        cohorts = self._cohorts(policy, version)
        made = [(name, [f"models:/{version.name}/{each}" for each in versions]) for name, versions in cohorts]
        named = {"name": f"{version.name} {', '.join(cohorts[0][1])}"[:200], "labels": {"model": version.name[:200]}}
        body = {**named, **policy.policy.spec(policy.name, policy.version, made)}
        try:
            spec = JobSpec.model_validate(body)
        except ValidationError as error:
            raise SpecInvalid([FieldProblem.at(each["loc"], each["msg"]) for each in error.errors()]) from error
        key = f"registry:{spec_digest(spec)}"
        job = self.jobs.submit(spec, key)
        while job.state in (JobState.FAILED, JobState.CANCELLED):  # whoever asks again wants another
            job = self.jobs.submit(spec, f"{key}:{job.id}")
        return job.id

    def _cohorts(self, policy: StoredPolicy, version: ModelVersion) -> list[tuple[str, Sequence[str]]]:
        """The candidate's runs, and the baseline's where there is one that shares none of them."""
        assert policy.policy.registry is not None
        alias = policy.policy.registry.baseline_alias
        versions = [each for each in self.registry.versions(version.name) if each.name == version.name]
        candidate = versions_of_cohort(version, versions)
        baseline = self.registry.aliased(version.name, alias) if alias else None
        made: list[tuple[str, Sequence[str]]] = [(CANDIDATE, candidate)]
        if alias and baseline and not set(versions_of_cohort(baseline, versions)) & set(candidate):
            made.append((alias, versions_of_cohort(baseline, versions)))
        return made

    def _write_tags(self, version: RegistryVersion) -> None:
        """Set the tags of a version whose job has ended, and the alias where it passed."""
        kept = self.jobs.store.registry
        try:
            job, refusal = version.job, version.refusal or ""
            tags = tags_for_job(self.jobs, job, self.public_url) if job else refusal_tags(refusal)
        except JobNotFound:
            kept.restart(version)
            return
        for key, value in tags.items():
            self.registry.set_tag(version.name, version.version, key, value)
        if tags[VERDICT] == Outcome.PASS:
            self._promote(version)
        kept.delete(version)

    def _promote(self, version: RegistryVersion) -> None:
        """Give a version that passed the policy's alias, unless a later version has it already."""
        assert version.policy is not None
        policy = self.jobs.store.policies.get(*version.policy).policy
        alias = policy.registry.alias_on_pass if policy.registry else None
        if alias:
            holder = self.registry.aliased(version.name, alias)
            if holder is None or int(holder.version) < int(version.version):
                self.registry.set_alias(version.name, alias, version.version)


@contextmanager
def running_sync(registrar: RegistrySync) -> Iterator[None]:
    """Have the registrar at work while this context is open."""
    with running_periodically("registrar", registrar.step, registrar.pause):
        yield
