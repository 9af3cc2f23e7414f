"""A results document of format 3, which an earlier release computed. It is a real one, cut to four measures."""

import json
from pathlib import Path
from typing import Any

from service.domain.job import Image
from service.domain.work import Plan, ShardResult, Slice
from service.spec.model import JobSpec, spec_digest
from service.storage import Store
from tests.support.shards import claim

STORED = Path(__file__).parents[1] / "releases" / "results-format-3.json"
COLUMNS = {"run": ["entropy"], "across": [[], []]}


def results_of_format_3() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(STORED.read_text())
    return found


def store_job(store: Store, document: dict[str, Any]) -> str:
    """Store a job that succeeded with this results document. Return its ID."""
    spec = JobSpec.model_validate(document["provenance"]["spec"])
    job = store.jobs.accept(spec, spec_digest(spec), None, 10)[0].id
    planning = claim(store)
    store.shards.record_images(planning, [Image(0, "0.png", "real", "/0.png")])
    store.shards.record_plan(planning, Plan(1, [Slice(0, 0, 1)], 1, {"columns": COLUMNS}))
    store.shards.record_values(claim(store), ShardResult([], [], 1, "cpu"))
    store.shards.record_summary(claim(store), json.dumps({**document, "job": job}), document["verdict"])
    return job
