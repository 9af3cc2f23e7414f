"""The use cases of policies: keep, look at, withdraw, judge a job's results by one. Knows no HTTP."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from service.domain.policy import CANDIDATE, Policy, StoredPolicy
from service.errors import FieldProblem, PolicyNotFound, SpecInvalid
from service.gate import PolicyUsed, Verdict, evaluate, number_lookup
from service.jobs.service import Jobs
from service.jobs.validation.fields import field_problems
from service.jobs.validation.gate import gate_problems
from service.spec.model import JobSpec

PLACEHOLDER_URI = "file:///"
PLACEHOLDER_COHORT = "another cohort"


@dataclass(frozen=True)
class Policies:
    """What can be done with policies, given the jobs."""

    jobs: Jobs

    def put(self, name: str, policy: Policy) -> StoredPolicy:
        """Keep a policy as its name's next version. Raises SpecInvalid for rules that no job of it can be judged by."""
        problems = list(_problems(policy))
        if problems:
            raise SpecInvalid(problems)
        return self.jobs.store.policies.put(name, policy)

    def newest_version(self, name: str) -> int | None:
        """The number of a policy's newest version; None where there is no such policy."""
        try:
            return self.jobs.store.policies.get(name).version
        except PolicyNotFound:
            return None

    def check(self, name: str, job: str, version: int | None) -> Verdict:
        """What a policy says of a job's results as they are stored; nothing is computed, and nothing kept.

        Raises PolicyNotFound, JobNotFound, JobNotFinished, JobHasNoResults.
        """
        kept = self.jobs.store.policies.get(name, version)
        document = json.loads(self.jobs.results(job))
        return evaluate(
            kept.policy.gate.rules, number_lookup(document), PolicyUsed(name=kept.name, version=kept.version)
        )


def _problems(policy: Policy) -> Iterator[FieldProblem]:
    """What the policy's own job cannot ask for, and rules that name what it will not have.

    Without `registry`, its cohorts are not known yet.
    """
    if policy.job is None:
        return
    yield from _unknown_cohorts(policy)
    body = policy.job.model_dump(exclude_unset=True)
    cohort = {
        "name": CANDIDATE,
        "model": body.pop("model", {}),
        "runs": [{"uri": PLACEHOLDER_URI}, {"uri": PLACEHOLDER_URI}],
    }
    spec = JobSpec.model_validate(
        {**body, "cohorts": [cohort, {**cohort, "name": PLACEHOLDER_COHORT}], "gate": policy.gate}
    )
    yield from _template_problems(spec)
    anyones = [
        rule.model_copy(update={"cohort": CANDIDATE, "versus": PLACEHOLDER_COHORT if rule.versus else None})
        for rule in policy.gate.rules
    ]
    for number, field, detail in gate_problems(anyones, spec):
        yield FieldProblem(f"gate.rules[{number}].{field}", detail)


def _template_problems(spec: JobSpec) -> Iterator[FieldProblem]:
    """What every job of the policy would be refused for; one cohort tells, as all share the template's model."""
    for problem in field_problems(spec.model_copy(update={"cohorts": spec.cohorts[:1]})):
        yield FieldProblem(f"job.{problem.field.removeprefix('cohorts[0].')}", problem.detail)


def _unknown_cohorts(policy: Policy) -> Iterator[FieldProblem]:
    """Names of cohorts that no job of a registry's versions has."""
    if policy.registry is None:
        return
    alias = policy.registry.baseline_alias
    if alias == CANDIDATE:
        detail = f"the versions to be judged are the cohort {CANDIDATE!r}; compare with another alias"
        yield FieldProblem("registry.baseline_alias", detail)
    there = [CANDIDATE, *([alias] if alias else [])]
    for number, rule in enumerate(policy.gate.rules):
        for field, name in (("cohort", rule.cohort), ("versus", rule.versus)):
            if name is not None and name not in there:
                detail = f"there is no cohort {name!r}, only {', '.join(there)}; see registry.baseline_alias"
                yield FieldProblem(f"gate.rules[{number}].{field}", detail)
