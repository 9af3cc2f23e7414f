"""The tags by which this service and the registry's users speak to each other."""

COHORT = "salience.cohort"  # set by users: versions of one recipe have the same
VERDICT = "salience.verdict"
JOB = "salience.job"
REPORT = "salience.report"
REASON = "salience.reason"


def measure_tag(measure: str) -> str:
    """The tag that holds a measure's mean."""
    return f"salience.{measure}"
