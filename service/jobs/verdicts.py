"""Whose rules a job is judged by, and what its gate has said. Knows no HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.domain.job import OPEN_STATES, Job
from service.gate import Gate, Outcome, PolicyUsed, Rule, Verdict, error_verdict
from service.storage import PolicyStore


@dataclass(frozen=True)
class ResolvedGate:
    """Rules, and the policy that they come from."""

    rules: Sequence[Rule] = ()
    policy: PolicyUsed | None = None


def resolve_gate(gate: Gate, policies: PolicyStore) -> ResolvedGate:
    """The rules of a gate, or of the policy that it names. Raises PolicyNotFound."""
    if gate.policy is None:
        return ResolvedGate(gate.rules)
    kept = policies.get(gate.policy, gate.version)
    return ResolvedGate(kept.policy.gate.rules, PolicyUsed(name=kept.name, version=kept.version))


def verdict_for(job: Job) -> Verdict | None:
    """What a job's gate says; None of a job without a gate, or that has not ended. No results are an error."""
    if job.verdict is not None:
        return Verdict.model_validate(job.verdict)
    gate = job.spec.gate
    if gate is None or job.state in OPEN_STATES:
        return None
    reason = (job.error or {}).get("detail", f"the job has {job.state}")
    if gate.rules:
        return error_verdict(gate.rules, reason)
    policy = PolicyUsed(name=gate.policy or "", version=gate.version or 0)
    return Verdict(
        outcome=Outcome.ERROR, reason=f"There is nothing to judge: {reason}", images=None, policy=policy, rules=[]
    )
