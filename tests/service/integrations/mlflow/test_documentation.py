"""Checks the request bodies and tags in docs/how-to/mlflow.md and docs/how-to/webhooks.md."""

import json
import re
from pathlib import Path
from typing import Any

from service.api.routes.webhooks import NewWebhook, Rotation
from service.domain.policy import Policy
from service.integrations.mlflow import tags

GUIDES = Path(__file__).parents[4] / "docs" / "how-to"
REGISTRY, WEBHOOKS = ((GUIDES / f"{name}.md").read_text() for name in ("mlflow", "webhooks"))


def bodies(text: str) -> list[Any]:
    """Return the JSON bodies of the requests that a page of the documentation shows."""
    plain = text.replace("'$SALIENCE_MLFLOW_SECRET'", "secret")
    return [json.loads(found) for found in re.findall(r"-d '(\{.*?\})'", plain, re.DOTALL)]


def test_the_documented_request_bodies_are_valid() -> None:
    policy, _ = bodies(REGISTRY)
    assert Policy.model_validate(policy).registry
    webhook, rotation = bodies(WEBHOOKS)
    assert NewWebhook.model_validate(webhook).format == "standard"
    assert Rotation.model_validate(rotation) == Rotation()


def test_the_documentation_lists_exactly_the_tags_that_the_service_writes() -> None:
    documented = set(re.findall(r"`(salience\.\w+)`", REGISTRY))
    assert documented == {
        tags.COHORT, tags.VERDICT, tags.JOB, tags.REPORT, tags.REASON, tags.SOUNDNESS, tags.measure_tag("entropy")
    }  # fmt: skip
