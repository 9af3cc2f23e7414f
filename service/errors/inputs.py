"""Errors of inputs: specs, models, image sets, inspections and artifacts."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from service.errors.base import FieldProblem, NotFound, SalienceError


class SpecInvalid(SalienceError):
    """The spec is invalid: {summary}"""

    kind = "invalid-spec"

    def __init__(self, found: Sequence[FieldProblem]) -> None:
        self.found = found
        super().__init__(summary="; ".join(f"{problem.field}: {problem.detail}" for problem in found))

    def problems(self) -> Sequence[FieldProblem]:
        """Return every refused field."""
        return self.found


class SpecUnreadable(SalienceError):
    """{path} is not a readable spec: {reason}"""

    kind = "spec-unreadable"


class InputRefused(SalienceError):
    """{reason}"""

    kind = "input-refused"


class ModelRefused(InputRefused):
    """{reason}"""

    kind = "model-refused"


class ImagesRefused(InputRefused):
    """{reason}"""

    kind = "images-refused"


class InspectionRefused(SalienceError):
    """{reason}"""

    kind = "inspection-refused"


class InspectionNotFound(NotFound):
    """There is no inspection {inspection}. Inspections are deleted after a day; start a new one with POST
    /v1/inspect."""

    kind = "inspection-not-found"


class ArtifactNotFound(NotFound):
    """There is no artifact {digest}. Upload it with PUT /v1/artifacts."""

    kind = "artifact-not-found"


class ArtifactRefused(SalienceError):
    """The upload is refused: {detail}"""

    kind = "artifact-refused"


@contextmanager
def naming_field(field: str, model: str = "") -> Iterator[None]:
    """Add the field to an InputRefused that is raised in this context, unless the error already names one.

    `model` is the path of a model in the spec. If the error has a fact `model_field`, the named field is that field of
    the model.
    """
    try:
        yield
    except InputRefused as error:
        own = error.facts.get("model_field")
        error.facts.setdefault("field", f"{model}.{own}" if model and own else field)
        raise


@contextmanager
def with_reason(rewrite: Callable[[str], str]) -> Iterator[None]:
    """Rewrite the reason of an InputRefused that is raised in this context."""
    try:
        yield
    except InputRefused as error:
        if "reason" not in error.facts:
            raise
        raise type(error)(**{**error.facts, "reason": rewrite(str(error.facts["reason"]))}) from error
