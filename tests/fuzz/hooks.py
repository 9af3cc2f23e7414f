"""What Schemathesis cannot guess: where a model and pictures are. Half of its jobs get them, and so can be run."""

import json
import os
from typing import Any

import schemathesis

BODY = json.loads(os.environ["FUZZ_BODY"])


@schemathesis.hook
def map_case(context: schemathesis.HookContext, case: "schemathesis.Case[Any]") -> "schemathesis.Case[Any]":
    """Put real files into specs that keep to the schema, but not into all of them."""
    meant_well = case.meta is None or not case.meta.generation.mode.is_negative
    if case.operation.label == "POST /v1/jobs" and meant_well and isinstance(case.body, dict):
        kept = {name: case.body[name] for name in ("name", "labels", "seed", "priority") if name in case.body}
        case.body = BODY | kept
    query = case.query if meant_well and isinstance(case.query, dict) else {}
    if isinstance(query.get("wait"), int | float):  # there is no time for more
        query["wait"] = min(query["wait"], 1)
    return case
