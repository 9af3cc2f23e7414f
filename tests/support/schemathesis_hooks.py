"""Hooks for Schemathesis: valid specs name existing models and images, so that their jobs can run."""

import json
import os
from typing import Any

import schemathesis

BODY = json.loads(os.environ["FUZZ_BODY"])


@schemathesis.hook
def map_case(context: schemathesis.HookContext, case: "schemathesis.Case[Any]") -> "schemathesis.Case[Any]":
    """Replace the models and images in specs that Schemathesis generates as valid by files that exist."""
    is_valid = case.meta is None or not case.meta.generation.mode.is_negative
    if case.operation.label == "POST /v1/jobs" and is_valid and isinstance(case.body, dict):
        kept = {name: case.body[name] for name in ("name", "labels", "seed", "priority") if name in case.body}
        case.body = BODY | kept
    query = case.query if is_valid and isinstance(case.query, dict) else {}
    if isinstance(query.get("wait"), int | float):  # a long wait would slow the test
        query["wait"] = min(query["wait"], 1)
    return case
