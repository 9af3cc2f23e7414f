"""The base of every part of a spec."""

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """A part of a spec: it refuses unknown fields and cannot be changed.

    Sequences with a minimum length are lists, since pydantic also reports an invalid item of a tuple as missing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)
