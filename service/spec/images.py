"""The image sets of a spec. Their shape is part of the API."""

from typing import Annotated

from pydantic import Field, StringConstraints

from service.gate.rules import Text as Name
from service.measures.strict_model import StrictModel


class Images(StrictModel):
    """An image set: where it is, how many images to take, and what share may be unreadable."""

    uri: Annotated[str, StringConstraints(min_length=1, max_length=4096)]
    """Where the images are: a folder, an archive, a manifest or a Parquet file."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """Number of images to sample; the sample depends on `seed`. Default: all."""
    max_skipped: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Largest share of images that may be unreadable before the job fails."""


class AuditedImages(Images):
    """The image set to audit, and the columns by which its results are grouped."""

    groups: Annotated[list[Name], Field(max_length=10)] = []  # noqa: RUF012  # pydantic copies it
    """Columns of the manifest, such as an attack type or a camera, by whose values results are grouped: at most 50
    values each."""
