"""What cannot be asked of an ONNX model, which takes pictures and gives logits, and shows nothing else."""

from collections.abc import Iterator

from service.errors import FieldProblem
from service.spec.model import JobSpec


def declared_black_box_problems(spec: JobSpec) -> Iterator[FieldProblem]:
    """What does not suit the cohorts whose format the spec says is ONNX, wherever their files are."""
    wrong: dict[str, FieldProblem] = {}  # of fields that all cohorts share, the first is told
    for number, cohort in enumerate(spec.cohorts):
        if cohort.model.format == "onnx":
            for problem in black_box_problems(spec, number, f"cohort {cohort.name!r}"):
                wrong.setdefault(problem.field, problem)
    yield from wrong.values()


def black_box_problems(spec: JobSpec, number: int, what: object) -> Iterator[FieldProblem]:
    """What of a spec does not suit a cohort of ONNX models; `what` is how they are called."""
    method = spec.salience.method
    if method != "rise":
        message = f"{method} looks into the model, and {what} is ONNX, a black box; use rise"
        yield FieldProblem("salience.method", message)
    if spec.cohorts[number].model.layer is not None:
        yield FieldProblem(f"cohorts[{number}].model.layer", f"{what} is ONNX, which shows no layer; leave this out")
    for measure in spec.requested_measures():
        if measure.variant_kind == "randomised":
            yield FieldProblem(
                "measures",
                f"{what} is ONNX, whose weights `{measure.name}` cannot draw anew; leave it out, or give the model in "
                "another format",
            )
