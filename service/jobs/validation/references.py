"""Checks the references of a spec against the database: artifacts of the tenant, gate policy and baseline."""

from collections.abc import Iterator
from contextlib import suppress

from service.artifacts.store import digest_in, missing_message
from service.domain.job import Job, JobState
from service.errors import FieldProblem, JobNotFound, PolicyNotFound
from service.jobs.validation.gate import baseline_problem, gate_problems
from service.jobs.verdicts import resolve_gate
from service.spec.model import Baseline, JobSpec
from service.storage import Store


def reference_problems(spec: JobSpec, store: Store) -> list[FieldProblem]:
    """Return every problem of a spec's artifacts, gate and baseline."""
    named = baseline_problem(spec)
    known = [*_artifacts(spec, store), *_baseline(spec.baseline, store), *_gate(spec, store)]
    return [named, *known] if named else known


def with_pinned_references(spec: JobSpec, store: Store) -> JobSpec:
    """Return a spec with the current version of its policy and the only cohort of its baseline filled in.

    References that do not exist stay as they are. Check the returned spec rather than the given one: the policy may
    get another version between two queries, even inside a transaction.
    """
    changes: dict[str, object] = {}
    if spec.gate and spec.gate.policy:
        with suppress(PolicyNotFound):
            stored = store.policies.get(spec.gate.policy, spec.gate.version)
            changes["gate"] = spec.gate.model_copy(update={"version": stored.version})
    if spec.baseline and spec.baseline.cohort is None:
        with suppress(JobNotFound):
            cohorts = store.jobs.get(spec.baseline.job).spec.cohorts
            only = cohorts[0].name if len(cohorts) == 1 else None
            changes["baseline"] = spec.baseline.model_copy(update={"cohort": only})
    return spec.model_copy(update=changes)


def _artifacts(spec: JobSpec, store: Store) -> Iterator[FieldProblem]:
    """Yield the artifacts that the tenant does not have."""
    named = {field: (uri, digest) for field, uri in spec.uris() if (digest := digest_in(uri))}
    lacking = store.artifact_owners.lacking({digest for _, digest in named.values()}) if named else ()
    for field, (uri, digest) in named.items():
        if digest in lacking:
            yield FieldProblem(field, missing_message(uri))


def _gate(spec: JobSpec, store: Store) -> Iterator[FieldProblem]:
    if spec.gate is None:
        return
    try:
        ruling = resolve_gate(spec.gate, store.policies)
    except PolicyNotFound as error:
        yield FieldProblem("gate.policy", str(error))
        return
    for number, field, detail in gate_problems(ruling.rules, spec):
        if ruling.policy:
            yield FieldProblem("gate.policy", f"rules[{number}].{field} of version {ruling.policy.version}: {detail}")
        else:
            yield FieldProblem(f"gate.rules[{number}].{field}", detail)


def _baseline(request: Baseline | None, store: Store) -> Iterator[FieldProblem]:
    if request is None:
        return
    try:
        job = store.jobs.get(request.job)
    except JobNotFound as error:
        yield FieldProblem("baseline.job", str(error))
        return
    if job.state is not JobState.SUCCEEDED:
        yield FieldProblem("baseline.job", f"job {job.id} is {job.state}; name a job that succeeded")
    else:
        yield from _cohort(request, job)


def _cohort(request: Baseline, job: Job) -> Iterator[FieldProblem]:
    names = [cohort.name for cohort in job.spec.cohorts]
    if request.cohort is None and len(names) > 1:
        yield FieldProblem("baseline.cohort", f"job {job.id} has the cohorts {', '.join(names)}; name one")
    elif request.cohort is not None and request.cohort not in names:
        yield FieldProblem(
            "baseline.cohort", f"job {job.id} has no cohort {request.cohort!r}; name one of {', '.join(names)}"
        )
