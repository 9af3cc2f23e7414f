"""What can be asked of a model or an image set before an audit, and what is answered."""

from dataclasses import dataclass

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from service.measures.strict_model import StrictModel
from service.spec.model import Images, Json, Model, Run


class InspectedModel(Run, Model):
    """A model by its URI, with fields of the spec's `model`."""


class Inspect(StrictModel):
    """What to inspect: give `model` or `images`."""

    model: InspectedModel | None = None
    """A model."""
    images: Images | None = None
    """An image set."""

    @model_validator(mode="after")
    def _one(self) -> "Inspect":
        if (self.model is None) == (self.images is None):
            raise PydanticCustomError("one_of", "give model or images, one of them")
        return self

    def subject(self) -> tuple[str, str]:
        """The field of what is looked at, and its URI."""
        if self.model is not None:
            return "model.uri", self.model.uri
        assert self.images is not None, "one of the two is given"
        return "images.uri", self.images.uri


@dataclass(frozen=True)
class Inspection:
    """An inspection as it stands: `found` or `error` once a worker has looked."""

    id: str
    asked: Inspect
    found: Json | None = None
    error: Json | None = None
    tenant: str = ""

    @property
    def done(self) -> bool:
        """Whether a worker has looked."""
        return self.found is not None or self.error is not None
