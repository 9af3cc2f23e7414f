"""Routes that list the measures and the salience methods with their options."""

from collections.abc import Mapping

from fastapi import APIRouter

from service.api.dependencies import READ
from service.api.schemas import CatalogueEntry
from service.measures import MEASURES
from service.measures.measure import Measure
from service.measures.methods import METHODS, SalienceMethod

router = APIRouter(prefix="/v1", tags=["catalogue"])


@router.get("/measures", dependencies=[READ])
def measures() -> list[CatalogueEntry]:
    """List the measures with their options, range, meaning and source."""
    return _entries(MEASURES)


@router.get("/methods", dependencies=[READ])
def methods() -> list[CatalogueEntry]:
    """List the salience methods with their options, range, meaning and source."""
    return _entries(METHODS)


def _entries(entries: Mapping[str, Measure] | Mapping[str, SalienceMethod]) -> list[CatalogueEntry]:
    return [
        CatalogueEntry(
            name=name,
            meaning=entry.meaning,
            source=entry.source,
            range=entry.bounds,
            parameters=entry.options.model_json_schema()["properties"] if entry.options else {},
        )
        for name, entry in entries.items()
    ]
