"""Tests that a job is accepted only if its spec is still valid, even if other requests run during the validation."""

from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from service.artifacts.store import ArtifactStore
from service.jobs.service import Jobs
from service.storage import Store
from tests.support.interleaving import acting_before
from tests.support.jobs import AuditInputs
from tests.support.tenants import Tenants, tenants

KEY = {"Idempotency-Key": "one"}
MISSING = f"artifact:sha256:{'0' * 64}"
MIN_TRANSACTIONS = 4  # the API opens at least this many to accept a job


@pytest.fixture
def both(store: Store, redis_url: str, tmp_path: Path) -> Iterator[Tenants]:
    with tenants(store, tmp_path, broker_url=redis_url, sweep_seconds=3600) as served:
        yield served


@pytest.fixture
def engine(both: Tenants) -> Engine:
    """Return the SQLAlchemy engine that the API uses."""
    jobs: Jobs = both.app.state.all_jobs
    return jobs.store.database.engine


def upload(client: httpx.Client, ingredients: AuditInputs) -> str:
    return str(client.put("/v1/artifacts", content=ingredients.models[0].read_bytes()).json()["uri"])


def body(ingredients: AuditInputs, uri: str) -> dict[str, Any]:
    """Return the spec of a job with an uploaded model."""
    return ingredients.body(cohorts=[{**ingredients.cohort("uploaded", 0), "runs": [{"uri": uri}]}])


def delete(client: httpx.Client, answer: httpx.Response) -> None:
    client.delete(answer.json()["links"]["self"]).raise_for_status()


def test_the_api_validates_a_spec_even_if_the_job_with_its_idempotency_key_is_deleted_meanwhile(
    both: Tenants, engine: Engine, ingredients: AuditInputs
) -> None:
    theirs, uri = both.theirs, upload(both.ours, ingredients)
    kinds = []
    for number in count():
        first = theirs.post("/v1/jobs", json=ingredients.body(), headers=KEY)
        assert first.status_code == 202, first.text
        with acting_before(engine, number, partial(delete, theirs, first)) as moment:
            answer = theirs.post("/v1/jobs", json=body(ingredients, uri), headers=KEY)
        assert answer.status_code == 422, f"deleted before transaction {number}: {answer.text}"
        kinds.append(answer.json()["type"].rpartition(":")[2])
        if not moment.reached:
            break
    assert set(kinds) == {"invalid-spec", "idempotency-key-reused"}, (
        "the error depends on whether the first job was deleted before the second request read its key"
    )


def test_an_artifact_of_another_tenant_is_refused_like_a_missing_one(both: Tenants, ingredients: AuditInputs) -> None:
    uri = upload(both.ours, ingredients)
    foreign, missing = (both.theirs.post("/v1/jobs", json=body(ingredients, each)) for each in (uri, MISSING))
    assert [each["field"] for each in foreign.json()["errors"]] == ["cohorts[0].runs[0].uri"]
    assert foreign.text.replace(uri, MISSING) == missing.text


def test_a_job_is_accepted_only_if_its_artifacts_still_exist(
    both: Tenants, engine: Engine, store: Store, ingredients: AuditInputs, tmp_path: Path
) -> None:
    theirs, uploads = both.theirs, ArtifactStore(str(tmp_path / "artifacts"), store.artifact_owners)
    statuses = []
    for number in count():
        uri = upload(theirs, ingredients)
        with acting_before(engine, number, lambda: uploads.expire(0)) as moment:
            answer = theirs.post("/v1/jobs", json=body(ingredients, uri))
        statuses.append(answer.status_code)
        if answer.status_code == 202:
            there = theirs.get(f"/v1/artifacts/{uri.rpartition(':')[2]}")
            assert there.status_code == 200, f"the artifact expired before transaction {number}"
            delete(theirs, answer)
        if not moment.reached:
            break
    assert set(statuses) == {202, 422}
    assert len(statuses) >= MIN_TRANSACTIONS
