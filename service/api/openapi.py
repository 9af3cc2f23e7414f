"""The OpenAPI document of FastAPI, with every error described as a problem (RFC 9457)."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from service.api.errors import documented
from service.api.schemas import Problem

SCHEMAS = "#/components/schemas/{model}"
# FastAPI describes an invalid request with these schemas. This service answers a problem instead.
FASTAPI_SCHEMAS = ("HTTPValidationError", "ValidationError")


class Application(FastAPI):
    """An application whose OpenAPI document describes its errors and suits client generators."""

    def openapi(self) -> dict[str, Any]:
        """Return the document. FastAPI caches it until a route is added."""
        document = super().openapi()
        if "Problem" not in document["components"]["schemas"]:
            _describe_problems(document)
            _write_constants_as_enums(document)
        return document


def _describe_problems(document: dict[str, Any]) -> None:
    """Add the schema of problems, and let every response to an invalid request refer to it."""
    schemas = document["components"]["schemas"]
    problem = Problem.model_json_schema(ref_template=SCHEMAS)
    schemas.update({**problem.pop("$defs"), "Problem": problem})
    for name in FASTAPI_SCHEMAS:
        schemas.pop(name, None)
    for operations in document["paths"].values():
        for operation in operations.values():
            _describe_invalid_requests(operation["responses"])


def _describe_invalid_requests(responses: dict[str, Any]) -> None:
    invalid = HTTPStatus.UNPROCESSABLE_ENTITY
    if "application/json" in responses.get(str(int(invalid)), {}).get("content", {}):
        responses[str(int(invalid))] = documented(invalid)[invalid]


def _write_constants_as_enums(document: dict[str, Any]) -> None:
    """Write each string `const` as an enum, because openapi-python-client misreads a `const` in a union."""
    for schema in _objects(document["components"]["schemas"]):
        if isinstance(schema.get("const"), str):
            schema["enum"] = [schema.pop("const")]


def _objects(part: Any) -> Iterator[dict[str, Any]]:
    """Yield every JSON object in a part of a document."""
    if isinstance(part, dict):
        yield part
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    for each in inner:
        yield from _objects(each)
