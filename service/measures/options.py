"""The options of all measures and salience methods, by name."""

from typing import TYPE_CHECKING, Any

from pydantic import Field, create_model

from service.measures import MEASURES
from service.measures.methods import METHODS
from service.measures.strict_model import StrictModel


def _fields() -> dict[str, Any]:
    """Return a field for each measure and each method that has options."""
    classes = {
        kind: {name: entry.options for name, entry in entries.items() if entry.options}
        for kind, entries in (("measure", MEASURES), ("method", METHODS))
    }
    return {
        name: (options, Field(default=options(), description=f"Options of the {kind} `{name}`."))
        for kind, own in classes.items()
        for name, options in own.items()
    }


if TYPE_CHECKING:

    class Options(StrictModel):
        """Options of the measures and methods, by name."""

        def __getattr__(self, name: str) -> Any:
            """Return the options of a measure or a method."""

else:
    Options = create_model(
        "Options",
        __base__=StrictModel,
        __doc__="Options of the measures and methods, by name.",
        __module__=__name__,
        **_fields(),
    )
