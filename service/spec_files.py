"""Spec files on disk: JSON in which a URI may be a path relative to the file's folder."""

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from service.domain import Json
from service.errors import FieldProblem, SpecInvalid, SpecUnreadable
from service.spec import JobSpec


def read_spec(path: Path) -> Json:
    """The spec in a file, its relative URIs made absolute. Raises SpecUnreadable."""
    try:
        spec = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise SpecUnreadable(path=path, reason=error) from error
    if not isinstance(spec, dict):
        raise SpecUnreadable(path=path, reason="it holds no JSON object")
    resolved: Json = _resolve(spec, path.resolve().parent)
    return resolved


def parse_spec(raw: Json) -> JobSpec:
    """The spec, checked field by field. Raises SpecInvalid."""
    try:
        return JobSpec.model_validate(raw)
    except ValidationError as error:
        raise SpecInvalid([FieldProblem.at(each["loc"], each["msg"]) for each in error.errors()]) from error


def _resolve(value: Any, folder: Path) -> Any:
    if isinstance(value, list):
        return [_resolve(each, folder) for each in value]
    if not isinstance(value, dict):
        return value
    return {key: _absolute(each, folder) if key == "uri" else _resolve(each, folder) for key, each in value.items()}


def _absolute(uri: Any, folder: Path) -> Any:
    if not isinstance(uri, str) or ":" in uri or not uri:
        return uri
    return (folder / uri).resolve().as_uri()
