"""Spec files on disk: JSON in which a URI may be a path relative to the file's folder."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from service.errors import FieldProblem, SpecInvalid, SpecUnreadable
from service.spec.model import JobSpec, Json

SCHEME = re.compile(r"\A[A-Za-z][A-Za-z0-9+.-]*+:")


def read_spec(path: Path) -> Json:
    """Return the spec in a file with its relative URIs made absolute. Raises SpecUnreadable."""
    try:
        spec = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise SpecUnreadable(path=path, reason=error) from error
    if not isinstance(spec, dict):
        raise SpecUnreadable(path=path, reason="it contains no JSON object")
    folder = path.resolve().parent
    for place in _parts_with_uri(spec):
        if isinstance(place.get("uri"), str) and place["uri"]:
            place["uri"] = absolute_uri(place["uri"], folder)
    return spec


def absolute_uri(uri: str, folder: Path) -> str:
    """Return a URI unchanged, and a path, which may be relative to the folder, as a file URI."""
    return uri if SCHEME.match(uri) else (folder / uri).resolve().as_uri()


def parse_spec(raw: Json) -> JobSpec:
    """Return the spec after each of its fields is validated. Raises SpecInvalid."""
    try:
        return JobSpec.model_validate(raw)
    except ValidationError as error:
        raise SpecInvalid([FieldProblem.at(each["loc"], each["msg"]) for each in error.errors()]) from error


def _parts_with_uri(spec: Json) -> Iterator[Json]:
    """Yield the parts of an unvalidated spec that have a URI: the image set and each run."""
    cohorts = spec.get("cohorts")
    runs = [cohort.get("runs") for cohort in cohorts if isinstance(cohort, dict)] if isinstance(cohorts, list) else []
    parts = [
        spec.get("images"),
        *(run for each in runs if isinstance(each, list) for run in each),
    ]
    yield from (part for part in parts if isinstance(part, dict))
