"""Resolves the rules of a gate, and builds the verdict of a job. Knows no HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from service.domain.job import OPEN_STATES, Job
from service.gate import Gate, Limits, Outcome, PolicyUsed, Rule, Verdict, error_verdict
from service.storage import PolicyStore


@dataclass(frozen=True)
class ResolvedGate:
    """The rules of a gate, the policy that they come from, and the soundness checks that it changes."""

    rules: Sequence[Rule] = ()
    policy: PolicyUsed | None = None
    limits: Limits = field(default_factory=dict)


def resolve_gate(gate: Gate, policies: PolicyStore) -> ResolvedGate:
    """Return the rules of a gate, or of the policy that the gate names. Raises PolicyNotFound."""
    if gate.policy is None:
        return ResolvedGate(gate.rules, limits=gate.soundness)
    stored = policies.get(gate.policy, gate.version)
    own = stored.policy.gate
    return ResolvedGate(own.rules, PolicyUsed(name=stored.name, version=stored.version), own.soundness)


def verdict_for(job: Job) -> Verdict | None:
    """Return the verdict of a job: `error` if it has no results; None if it has no gate or has not ended."""
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
        outcome=Outcome.ERROR, reason=f"Audit failed; no verdict: {reason}", images=None, policy=policy, rules=[]
    )
