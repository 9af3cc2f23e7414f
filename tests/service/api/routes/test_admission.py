"""What a spec is checked for holds when its job is accepted, whatever other requests come in between."""

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
ABSENT = f"artifact:sha256:{'0' * 64}"
LEAST = 4  # transactions that accept a job


@pytest.fixture
def both(store: Store, redis_url: str, tmp_path: Path) -> Iterator[Tenants]:
    with tenants(store, tmp_path, broker_url=redis_url, sweep_seconds=3600) as served:
        yield served


@pytest.fixture
def engine(both: Tenants) -> Engine:
    """The API's own."""
    jobs: Jobs = both.app.state.all_jobs
    return jobs.store.database.engine


def upload(client: httpx.Client, ingredients: AuditInputs) -> str:
    return str(client.put("/v1/artifacts", content=ingredients.models[0].read_bytes()).json()["uri"])


def body(ingredients: AuditInputs, uri: str) -> dict[str, Any]:
    """A job of an uploaded model."""
    return ingredients.body(cohorts=[{**ingredients.cohort("uploaded", 0), "runs": [{"uri": uri}]}])


def forget(client: httpx.Client, answer: httpx.Response) -> None:
    client.delete(answer.json()["links"]["self"]).raise_for_status()


def test_a_key_that_is_freed_meanwhile_lets_no_unchecked_spec_in(
    both: Tenants, engine: Engine, ingredients: AuditInputs
) -> None:
    theirs, uri = both.theirs, upload(both.ours, ingredients)
    kinds = []
    for number in count():
        first = theirs.post("/v1/jobs", json=ingredients.body(), headers=KEY)
        assert first.status_code == 202, first.text
        with acting_before(engine, number, partial(forget, theirs, first)) as moment:
            answer = theirs.post("/v1/jobs", json=body(ingredients, uri), headers=KEY)
        assert answer.status_code == 422, f"deleted before transaction {number}: {answer.text}"
        kinds.append(answer.json()["type"].rpartition(":")[2])
        if not moment.reached:
            break
    assert set(kinds) == {"invalid-spec", "idempotency-key-reused"}, "the job was there, or it was not"


def test_an_artifact_of_another_is_refused_in_the_words_of_one_that_is_not_there(
    both: Tenants, ingredients: AuditInputs
) -> None:
    uri = upload(both.ours, ingredients)
    other, absent = (both.theirs.post("/v1/jobs", json=body(ingredients, each)) for each in (uri, ABSENT))
    assert [each["field"] for each in other.json()["errors"]] == ["cohorts[0].runs[0].uri"]
    assert other.text.replace(uri, ABSENT) == absent.text


def test_the_artifacts_of_a_job_have_not_expired_when_it_is_accepted(
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
            assert there.status_code == 200, f"it expired before transaction {number}"
            forget(theirs, answer)
        if not moment.reached:
            break
    assert set(statuses) == {202, 422}
    assert len(statuses) >= LEAST
