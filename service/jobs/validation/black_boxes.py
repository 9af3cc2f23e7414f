"""Checks of a spec with ONNX models, which give logits only: no gradients, layers or weights."""

from collections.abc import Iterator

from service.errors import FieldProblem
from service.spec.model import JobSpec


def declared_black_box_problems(spec: JobSpec) -> Iterator[FieldProblem]:
    """Yield the problems of cohorts that the spec declares as ONNX. Reads no files."""
    wrong: dict[str, FieldProblem] = {}  # cohorts share some fields; report only the first problem of a field
    for number, cohort in enumerate(spec.cohorts):
        if cohort.model.format == "onnx":
            for problem in black_box_problems(spec, number, f"cohort {cohort.name!r}"):
                wrong.setdefault(problem.field, problem)
    yield from wrong.values()


def black_box_problems(spec: JobSpec, number: int, what: object) -> Iterator[FieldProblem]:
    """Yield the problems of one cohort of ONNX models; messages name the models with `what`."""
    method = spec.salience.method
    if method != "rise":
        message = f"{method} needs gradients or layers, and {what} is ONNX, a black box; use rise"
        yield FieldProblem("salience.method", message)
    if spec.cohorts[number].model.layer is not None:
        yield FieldProblem(
            f"cohorts[{number}].model.layer", f"{what} is ONNX, which has no accessible layers; remove this field"
        )
    for measure in spec.requested_measures():
        if measure.variant_kind == "randomised":
            yield FieldProblem(
                "measures",
                f"{what} is ONNX, whose weights `{measure.name}` cannot randomise; remove it, or give the model in "
                "another format",
            )
