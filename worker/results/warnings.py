"""Lists what a reader of results must know about how the models were loaded."""

from service.domain.job import Job
from service.telemetry.redaction import strip_query_values

INVERTED = (
    "{uri}: The model gives probabilities, and no sigmoid or softmax at its end could be removed. They were turned "
    "back into logits, but a probability that rounds to 0 or 1 has no exact logit. Save the model without its last "
    "operation. Or set model.outputs.activation to `probabilities` to accept this, or to `logits` if these are logits."
)


def find_warnings(job: Job) -> list[str]:
    """Return a warning for each run whose outputs were found to be probabilities that its spec does not declare."""
    assert job.plan is not None, "results are built only after the job is planned"
    return [
        INVERTED.format(uri=strip_query_values(run["uri"]))
        for cohort, facts in zip(job.spec.cohorts, job.plan["cohorts"], strict=True)
        for run in facts["runs"]
        if run.get("activation", cohort.model.activation) != cohort.model.activation
    ]
