"""What can be asked for: the measures and the salience methods, each with its parameters."""

from collections.abc import Mapping

from fastapi import APIRouter

from service.api.dependencies import READ
from service.api.schemas import CatalogueEntry
from service.measures import catalogue
from service.measures.catalogue import CatalogueItem
from service.measures.options import Options

router = APIRouter(prefix="/v1", tags=["catalogue"])


@router.get("/measures", dependencies=[READ])
def measures() -> list[CatalogueEntry]:
    """List the measures with their options, range, meaning and source."""
    return _entries(catalogue.MEASURES)


@router.get("/methods", dependencies=[READ])
def methods() -> list[CatalogueEntry]:
    """List the salience methods with their options, range, meaning and source."""
    return _entries(catalogue.METHODS)


def _entries(entries: Mapping[str, CatalogueItem]) -> list[CatalogueEntry]:
    schemas = Options.model_json_schema()["$defs"]
    offered = {name: getattr(Options(), name) for name in Options.model_fields}
    return [
        CatalogueEntry(
            name=name,
            meaning=entry.meaning,
            source=entry.source,
            range=(entry.low, entry.high),
            parameters=schemas[type(offered[name]).__name__]["properties"] if name in offered else {},
        )
        for name, entry in entries.items()
    ]
