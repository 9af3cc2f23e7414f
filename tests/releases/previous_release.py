"""Runs some jobs with the code of the previous release, whose folder must come first on the Python path.

    python previous_release.py FOLDER {"database": ..., "broker": ..., "body": ...}

It makes every query of the API, the workers and the sweeper at least once, and exits with an error at the first query
that the database refuses. It calls functions of the stored release, so a newly stored release may need changes here.
"""

import json
import sys
import time
from pathlib import Path

from starlette.testclient import TestClient

import service
from service.domain import Image, MapSum, Plan, Shard, ShardKind, ShardResult, Slice, Values
from service.main import create_app
from service.settings import ServiceSettings
from service.storage import Store

JSON = dict[str, object]
COLUMNS = {"run": ["entropy"], "across": [["stability"]]}


def submit(client: TestClient, body: JSON, key: str) -> str:
    """Submit a job twice with the same idempotency key, and list jobs with every filter. Returns the job's ID."""
    first, again = (client.post("/v1/jobs", json=body, headers={"Idempotency-Key": key}) for _ in range(2))
    assert first.status_code == 202, first.text
    job = str(first.json()["id"])
    assert again.json()["id"] == job
    for query in ("", "?state=queued", "?name=old", "?label=team:x", "?limit=1"):
        assert client.get(f"/v1/jobs{query}").status_code == 200
    assert client.get(f"/v1/jobs/{job}?wait=0.3").status_code == 200
    return job


def claim(store: Store, kind: ShardKind) -> Shard:
    """Claim the next shard, which must be of this kind, and renew the lease. Returns the shard."""
    shard = store.leases.claim("old", 30)
    assert shard is not None, "the previous release finds no shard to claim"
    assert shard.kind is kind, shard
    assert store.leases.renew(shard, 30, 1)
    return shard


def plan(store: Store) -> None:
    """Record a plan of two slices with one image each."""
    shard = claim(store, ShardKind.PLAN)
    store.shards.forget_images(shard)
    store.shards.record_images(shard, [Image(number, f"{number}.png", "x", f"{number}.png") for number in range(2)])
    store.shards.record_plan(shard, Plan(2, [Slice(0, 0, 1), Slice(0, 1, 2)], 4, {"columns": COLUMNS}))


def measure(store: Store) -> None:
    """Claim the next slice, release it, claim it again, and record values for its image."""
    store.leases.give_back([claim(store, ShardKind.MEASURE).worker])
    shard = claim(store, ShardKind.MEASURE)
    images = store.images.slice(shard.job, shard.start, shard.stop)
    noted = [Image(i.number, i.name, i.label, i.path, i.human, "0" * 64, None) for i in images]
    values = [Values(0, 0, i.number, bytes(8)) for i in images]
    store.shards.record_values(shard, ShardResult(noted, values, 2, "cpu", [MapSum(0, 0, False, 1, bytes(8))]))


def read(store: Store, client: TestClient, job: str) -> None:
    """Record empty results, and run every query that reads a job."""
    store.shards.record_summary(claim(store, ShardKind.SUMMARISE), "{}")
    assert client.get(f"/v1/jobs/{job}").json()["state"] == "succeeded"
    for place in ("results", "images", "images?limit=1"):
        assert client.get(f"/v1/jobs/{job}/{place}").status_code == 200, place
    among = store.jobs.get(job).image_sets[0]
    assert list(store.images.read(job, among, 1))
    assert list(store.images.values(job, among))
    assert store.map_sums.of(job, 0, False)
    assert store.shards.devices(job) == ["cpu"]
    assert store.images.skipped(job) == []


def fail(store: Store, client: TestClient, body: JSON) -> None:
    """Let a job fail after a retry and an expired lease, cancel a second job, and delete a third."""
    submit(client, body, "fails")
    assert store.leases.hand_back(claim(store, ShardKind.PLAN), "trouble") is not None
    time.sleep(1.1)
    store.leases.release_all()
    assert store.leases.claim("old", -1) is not None
    assert store.leases.release_expired() == 1
    assert store.shards.fail(claim(store, ShardKind.PLAN), {"type": "refused", "detail": "no"})
    assert client.post(f"/v1/jobs/{submit(client, body, 'cancelled')}/cancel").status_code == 200
    assert client.delete(f"/v1/jobs/{submit(client, body, 'forgotten')}").status_code == 204


def tidy(store: Store) -> None:
    """Call every function that the sweeper calls."""
    store.retention.end_overdue()
    store.retention.expire(0, 0)
    store.retention.purge(5)
    assert (store.leases.claimable(), store.leases.foreign(), store.leases.next_expiry()) == (0, 0, None)


def inspect(store: Store, client: TestClient, body: JSON) -> None:
    """Request, claim and answer the inspection of an image set."""
    asked = client.post("/v1/inspect?wait=0", json={"images": body["images"]})
    assert asked.status_code == 202, asked.text
    found = store.inspections.claim()
    assert found is not None
    store.inspections.answer(found.id, {"count": 2}, None)
    assert client.get(asked.headers["Location"]).json()["found"] == {"count": 2}


def main(folder: str, given: str) -> None:
    """Run the queries with the code of the release in `folder`, which must come first on the Python path."""
    assert Path(str(service.__file__)).is_relative_to(folder), "Python imported another release"
    asked = json.loads(given)
    settings = ServiceSettings(
        database_url=asked["database"], broker_url=asked["broker"], allowed_roots=(Path("/"),), sweep_seconds=60
    )
    store = Store.open(settings.database)
    with TestClient(create_app(settings)) as client:
        job = submit(client, asked["body"], "one")
        plan(store)
        measure(store)
        measure(store)
        read(store, client, job)
        fail(store, client, asked["body"])
        inspect(store, client, asked["body"])
    tidy(store)


if __name__ == "__main__":
    main(*sys.argv[1:])
