"""Inspections of a model or an image set before an audit: the request and the result."""

from dataclasses import dataclass

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from service.measures.strict_model import StrictModel
from service.spec.cohort import Model, Run
from service.spec.images import Images
from service.spec.model import Json


class InspectedModel(Run, Model):
    """A model by its URI, with the fields of `model` in a spec."""


class Inspect(StrictModel):
    """What to inspect: either `model` or `images`."""

    model: InspectedModel | None = None
    """The model to inspect."""
    images: Images | None = None
    """The image set to inspect."""

    @model_validator(mode="after")
    def _one(self) -> "Inspect":
        if (self.model is None) == (self.images is None):
            raise PydanticCustomError("one_of", "give either model or images")
        return self

    def subject(self) -> tuple[str, str]:
        """Return the field of the inspected input and its URI."""
        if self.model is not None:
            return "model.uri", self.model.uri
        assert self.images is not None, "the validator requires one of the two"
        return "images.uri", self.images.uri


@dataclass(frozen=True)
class Inspection:
    """An inspection. `found` or `error` is set once a worker has finished it."""

    id: str
    asked: Inspect
    found: Json | None = None
    error: Json | None = None
    tenant: str = ""

    @property
    def done(self) -> bool:
        """Whether a worker has finished the inspection."""
        return self.found is not None or self.error is not None
