"""The use cases of policies: store a policy, and judge the results of a job by a policy. Knows no HTTP."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from service.domain.policy import CANDIDATE, Policy, StoredPolicy
from service.errors import FieldProblem, PolicyNotFound, SpecInvalid
from service.gate import PolicyUsed, Verdict, judge
from service.jobs.service import Jobs
from service.jobs.validation.fields import field_problems
from service.jobs.validation.gate import gate_problems
from service.spec.model import JobSpec

PLACEHOLDER_URI = "file:///"
PLACEHOLDER_COHORT = "another cohort"


@dataclass(frozen=True)
class Policies:
    """The use cases of policies of one tenant. They read jobs through `jobs`."""

    jobs: Jobs

    def put(self, name: str, policy: Policy) -> StoredPolicy:
        """Store a policy as the next version of its name. Raises SpecInvalid for an invalid rule or job template."""
        problems = list(_problems(policy))
        if problems:
            raise SpecInvalid(problems)
        return self.jobs.store.policies.put(name, policy)

    def newest_version(self, name: str) -> int | None:
        """Return the number of a policy's newest version, and None if there is no such policy."""
        try:
            return self.jobs.store.policies.get(name).version
        except PolicyNotFound:
            return None

    def check(self, name: str, job: str, version: int | None) -> Verdict:
        """Judge the stored results of a job by a policy. The verdict is not stored.

        Raises PolicyNotFound, JobNotFound, JobNotFinished, JobHasNoResults.
        """
        stored = self.jobs.store.policies.get(name, version)
        document = json.loads(self.jobs.results(job))
        gate, used = stored.policy.gate, PolicyUsed(name=stored.name, version=stored.version)
        return judge(document, gate.rules, gate.soundness, used)


def _problems(policy: Policy) -> Iterator[FieldProblem]:
    """Yield problems of the policy's job template, and rules about values that the job's results will not contain.

    Without `registry`, the names of the cohorts are unknown, so any name is accepted.
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
    rules = [
        rule.model_copy(update={"cohort": CANDIDATE, "versus": PLACEHOLDER_COHORT if rule.versus else None})
        for rule in policy.gate.rules
    ]
    for number, field, detail in gate_problems(rules, spec):
        yield FieldProblem(f"gate.rules[{number}].{field}", detail)


def _template_problems(spec: JobSpec) -> Iterator[FieldProblem]:
    """Yield problems that every job of the policy would have. One cohort is enough, as all have the same `model`."""
    for problem in field_problems(spec.model_copy(update={"cohorts": spec.cohorts[:1]})):
        yield FieldProblem(f"job.{problem.field.removeprefix('cohorts[0].')}", problem.detail)


def _unknown_cohorts(policy: Policy) -> Iterator[FieldProblem]:
    """Yield a problem for each rule that names a cohort which audits of registered versions do not have."""
    if policy.registry is None:
        return
    alias = policy.registry.baseline_alias
    if alias == CANDIDATE:
        detail = f"{CANDIDATE!r} is the name of the cohort to judge; use another alias for the baseline"
        yield FieldProblem("registry.baseline_alias", detail)
    known = [CANDIDATE, *([alias] if alias else [])]
    for number, rule in enumerate(policy.gate.rules):
        for field, name in (("cohort", rule.cohort), ("versus", rule.versus)):
            if name is not None and name not in known:
                detail = f"there is no cohort {name!r}, only {', '.join(known)}; see registry.baseline_alias"
                yield FieldProblem(f"gate.rules[{number}].{field}", detail)
