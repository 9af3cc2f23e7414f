"""Claims and records shards as a worker does."""

from collections.abc import Sequence

from service.domain.job import Image
from service.domain.work import Plan, Shard, ShardResult, Slice, Values
from service.storage import Store

LEASE = 30.0


IMAGES = [Image(number, f"{number}.png", None, f"/{number}.png") for number in range(4)]


def claim(store: Store, worker: str = "w", lease: float = LEASE) -> Shard:
    shard = store.leases.claim(worker, lease)
    assert shard is not None
    return shard


def plan(store: Store, slices: Sequence[Slice] = (Slice(0, 0, 2), Slice(0, 2, 4))) -> None:
    shard = claim(store)
    store.shards.record_images(shard, IMAGES)
    store.shards.record_plan(shard, Plan(len(IMAGES), slices, 40, {"columns": {}}))


def result(shard: Shard) -> ShardResult:
    images = [Image(n, f"{n}.png", None, f"/{n}.png", sha256=f"{n:064}") for n in range(shard.start, shard.stop)]
    values = [Values(0, 0, image.number, b"12345678") for image in images]
    return ShardResult(images, values, 20, "cpu")
