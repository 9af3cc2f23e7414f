"""Reads gates from YAML or JSON files, which contain a gate or a policy."""

from pathlib import Path

import yaml
from pydantic import ValidationError

from service.domain.policy import Policy
from service.errors import FieldProblem, SpecInvalid, SpecUnreadable
from service.gate import Gate
from service.spec.model import Json


def read_gate(path: Path) -> Json:
    """Return the gate in a file, in the form of a spec's `gate`. Raises SpecUnreadable, SpecInvalid."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SpecUnreadable(path=path, reason=error) from error
    if not isinstance(found, dict):
        raise SpecUnreadable(
            path=path, reason="it contains no gate; write `rules:` with a list, or a policy with `gate:`"
        )
    try:
        gate = Policy.model_validate(found).gate if "gate" in found else Gate.model_validate(found)
    except ValidationError as error:
        raise SpecInvalid([FieldProblem.at(each["loc"], each["msg"]) for each in error.errors()]) from error
    return gate.model_dump(mode="json", exclude_unset=True)
