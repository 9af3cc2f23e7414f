"""The base of every part of a spec."""

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """A part of a spec: it refuses unknown fields and cannot be changed.

    Sequences with a minimum length are lists: pydantic reports a bad item of a tuple as a missing item, too.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)
