"""Writes the warnings in a job's results: problems of its models that the plan has found."""

from collections.abc import Iterator

from service.domain.job import Job
from service.spec.cohort import Cohort
from service.spec.model import Json
from service.telemetry.redaction import strip_query_values

INVERTED = (
    "{uri}: The model gives probabilities, and no sigmoid or softmax at its end could be removed. They were turned "
    "back into logits, but a probability that rounds to 0 or 1 has no exact logit. Save the model without its last "
    "operation. Or set model.outputs.activation to `probabilities` to accept this, or to `logits` if these are logits."
)
NONDETERMINISTIC = (
    "{uri}: The model gives different maps or probabilities for the same image{similarity}, so its numbers cannot be "
    "reproduced. Export it in evaluation mode, unless it is random by design."
)


def find_warnings(job: Job) -> list[str]:
    """Return a warning for each run that gives probabilities without a declaration, and for each that is random."""
    facts = job.cohort_facts
    return [
        warning for cohort in job.spec.cohorts for run in facts[cohort.name]["runs"] for warning in _of_run(cohort, run)
    ]


def _of_run(cohort: Cohort, run: Json) -> Iterator[str]:
    uri = strip_query_values(run["uri"])
    if run["activation"] != cohort.model.activation:
        yield INVERTED.format(uri=uri)
    if not run["deterministic"]:
        found = run["self_similarity"]
        yield NONDETERMINISTIC.format(
            uri=uri, similarity="" if found is None else f" (similarity of the maps: {found:.3f})"
        )
