"""The same spec gives the same results to the bit, in any order and for any division of its images."""

import random
from pathlib import Path

import pytest
import torch

from service.storage import Store
from tests.support.audits import audit, columns_of, results, without_identity
from tests.support.jobs import AuditInputs
from worker.context import WorkerContext
from worker.inputs.resolver import InputResolver
from worker.models import architectures as zoo
from worker.runner import Runner

CPU = torch.device("cpu")


# One database suffices: the next test changes the shard size on both.
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("shard_size", "batch_size"), [(1, 8), (7, 64), (100, 1)])
# The kernels of these models treat positions in a batch differently.
@pytest.mark.parametrize("name", ["squeezenet1_1", "mobilenet_v2"])
def test_results_do_not_depend_on_the_sizes_of_shards_and_batches(  # noqa: PLR0913  # fixtures and cases
    store: Store,
    places: InputResolver,
    ingredients: AuditInputs,
    tmp_path: Path,
    name: str,
    shard_size: int,
    batch_size: int,
) -> None:
    torch.manual_seed(0)
    torch.save(zoo.build(f"torchvision/{name}", 2).state_dict(), tmp_path / "m.pth")
    model = {"architecture": f"torchvision/{name}", "preprocessing": {"size": [64, 64]}}
    cohort = {"name": "c", "model": model, "runs": [{"uri": (tmp_path / "m.pth").as_uri()}]}
    measures = ["entropy", "noise", "geometry", "degradation"]
    found = []
    for size, batch in ((100, 5), (shard_size, batch_size)):
        runner = Runner(store, WorkerContext.create(CPU, places, batch), "w", 30, notify=lambda _: None)
        spec = ingredients.spec(cohorts=[cohort], measures=measures, shard_size=size, reuse=False)
        job = audit(runner, spec)
        found.append((without_identity(results(store, job)), columns_of(store, job)))
    assert found[0] == found[1]


@pytest.mark.parametrize("shard_size", [1, 5])
def test_results_of_all_measures_do_not_depend_on_the_shard_size(
    runner: Runner, ingredients: AuditInputs, shard_size: int
) -> None:
    whole = results(runner.store, audit(runner, ingredients.spec(shard_size=100, reuse=False)))
    split = results(runner.store, audit(runner, ingredients.spec(shard_size=shard_size, reuse=False)))
    assert without_identity(split) == without_identity(whole)


def test_results_do_not_depend_on_the_order_of_the_images(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    lines = [f"{path},{path.parent.name}" for path in sorted(ingredients.images.rglob("*.png"))]
    found = []
    for name in ("sorted", "shuffled"):
        manifest = tmp_path / f"{name}.csv"
        manifest.write_text("\n".join(["image,label", *lines]))
        spec = ingredients.spec(images={"uri": manifest.as_uri()}, reuse=False)
        job = audit(runner, spec)
        found.append((without_identity(results(runner.store, job)), columns_of(runner.store, job)))
        random.Random(0).shuffle(lines)
    assert found[0] == found[1]


def test_results_do_not_depend_on_the_number_of_threads(runner: Runner, store: Store, ingredients: AuditInputs) -> None:
    alone = results(store, audit(runner, ingredients.spec(reuse=False)))
    torch.set_num_threads(2)
    try:
        shared = results(store, audit(runner, ingredients.spec(reuse=False)))
    finally:
        torch.set_num_threads(1)
    assert without_identity(shared) == without_identity(alone)
