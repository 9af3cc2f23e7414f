"""Tests that the measure `chance` agrees with a slow twin for any shards and pages, cached values, and bad files."""

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from service.domain.work import ACROSS_RUNS
from tests.support.audits import Columns, audit, columns_of
from tests.support.jobs import SIZE, AuditInputs, write_image
from tests.support.models import TinyNet
from tests.support.slow_twin import Array, Twin, digest_of, slow_partners
from tests.support.soundness import ALL_OFF
from worker.context import WorkerContext
from worker.inputs.resolver import InputResolver
from worker.runner import Runner

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

KINDS = ("ssim", "pearson", "mse", "iou20")


def chance_of(columns: dict[str, dict[int, Columns]]) -> dict[str, dict[int, Columns]]:
    return {
        image: {run: {name: each for name, each in own.items() if "chance" in name} for run, own in rows.items()}
        for image, rows in columns.items()
    }


def decoded(path: Path) -> Array:
    small = Image.open(path).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    return (np.asarray(small).transpose(2, 0, 1) / 255).astype(np.float32)


def test_chance_is_the_similarity_of_an_image_and_the_preceding_image_of_its_label(
    runner: Runner, ingredients: AuditInputs
) -> None:
    job = audit(runner, ingredients.spec(cohorts=[ingredients.cohort("c", 0, 1, 2)], shard_size=4))
    found = chance_of(columns_of(runner.store, job))
    paths = {str(each.relative_to(ingredients.images)): each for each in ingredients.images.rglob("*.png")}
    partners = slow_partners({name: name.partition("/")[0] for name in paths})
    twins = [Twin(TinyNet(seed)) for seed in range(3)]
    maps = {name: [twin.see(decoded(path))[:2] for twin in twins] for name, path in paths.items()}
    assert sum(each is None for each in partners.values()) == 2
    for name, partner in partners.items():
        names = ["chance" if kind == "ssim" else f"chance.{kind}" for kind in KINDS]
        if partner is None:
            assert all(found[name][run] == dict.fromkeys(names) for run in range(3))
            assert set(found[name][ACROSS_RUNS].values()) == {None}
            continue
        for run, twin in enumerate(twins):
            wanted = twin.similarity(maps[name][run][1], maps[partner][run][1])
            assert found[name][run] == pytest.approx(dict(zip(names, wanted.values(), strict=True)), abs=1e-4)
        pairs = {
            (i, j): twins[0].similarity(maps[name][i][0], maps[partner][j][0]) for i, j in combinations(range(3), 2)
        }
        means = {kind: float(np.mean([each[kind] for each in pairs.values()])) for kind in KINDS}
        across = {f"stability.{column}": means[kind] for column, kind in zip(names, KINDS, strict=True)}
        across |= {f"stability.chance.pair.{i}.{j}": each["ssim"] for (i, j), each in pairs.items()}
        assert found[name][ACROSS_RUNS] == pytest.approx(across, abs=1e-4)


@pytest.mark.parametrize(("shard_size", "batch_size", "changes"), [
    (1, 8, {}), (5, 1, {}), (5, 3, {"stop": "when-decided"}), (100, 2, {"stop": "when-decided"}),
])  # fmt: skip
def test_chance_is_equal_to_the_bit_for_all_sizes_of_shards_and_pages_and_all_orders(  # noqa: PLR0913  # fixtures and cases
    runner: Runner, places: InputResolver, ingredients: AuditInputs, shard_size: int, batch_size: int, changes: Any
) -> None:
    if changes:  # with `stop`, the images are numbered in the seeded order, which mixes the labels
        changes = {**changes, "gate": {"rules": [{"measure": "noise", "op": ">=", "value": 0.5}], "soundness": ALL_OFF}}
    whole = columns_of(runner.store, audit(runner, ingredients.spec(shard_size=100, reuse=False)))
    other = Runner(
        runner.store, WorkerContext.create(torch.device("cpu"), places, batch_size), "w", 30, notify=lambda _: None
    )
    spec = ingredients.spec(shard_size=shard_size, reuse=False, **changes)
    assert columns_of(other.store, audit(other, spec)) == whole


def test_a_job_that_stops_early_has_the_same_chance_as_a_job_limited_to_those_images(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    for number in range(40):
        write_image(tmp_path / "ab"[number % 2] / f"{number}.png", np.random.default_rng(number), side=24)
    gate = {"rules": [{"measure": "entropy", "op": ">=", "value": 0.05}], "soundness": ALL_OFF}
    changes: dict[str, Any] = {"cohorts": [ingredients.cohort("c", 0)], "measures": ["entropy"], "reuse": False}
    stopped = audit(
        runner,
        ingredients.spec(images={"uri": tmp_path.as_uri()}, gate=gate, stop="when-decided", shard_size=3, **changes),
    )
    assert stopped.stopped_at == 32
    limited = audit(runner, ingredients.spec(images={"uri": tmp_path.as_uri(), "limit": 32}, **changes))
    found, twin = columns_of(runner.store, stopped), columns_of(runner.store, limited)
    assert {name: found[name] for name in twin} == twin


def test_without_labels_the_partner_of_an_image_is_the_preceding_image(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    names = [f"{number}.png" for number in range(5)]
    for number, name in enumerate(names):
        write_image(tmp_path / name, np.random.default_rng(number))
    spec = ingredients.spec(images={"uri": tmp_path.as_uri()}, cohorts=[ingredients.cohort("c", 0)], measures=["noise"])
    found = columns_of(runner.store, audit(runner, spec))
    twin = Twin(TinyNet(0))
    for name, partner in slow_partners(dict.fromkeys(names)).items():
        wanted = None
        if partner:
            mine, other = (twin.see(decoded(tmp_path / each))[1] for each in (name, partner))
            wanted = pytest.approx(twin.similarity(mine, other)["ssim"], abs=1e-4)
        assert found[name][0]["chance"] == wanted


@pytest.mark.parametrize(("shard_size", "reuse"), [(1, True), (3, False), (100, True)])
def test_an_unreadable_image_is_not_the_partner_of_any_image(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path, shard_size: int, reuse: bool
) -> None:
    names = sorted((f"{number}.png" for number in range(9)), key=digest_of)
    for number, name in enumerate(names):
        write_image(tmp_path / name, np.random.default_rng(number))
    changes: dict[str, Any] = {"cohorts": [ingredients.cohort("c", 0)], "measures": ["entropy"]}

    def of(folder: Path, **more: Any) -> dict[str, dict[int, Columns]]:
        images = {"uri": folder.as_uri(), "max_skipped": 0.5}
        return columns_of(runner.store, audit(runner, ingredients.spec(images=images, **changes, **more)))

    of(tmp_path)
    for lost in (0, 3, 4):
        (tmp_path / names[lost]).write_bytes(b"no image")
    (tmp_path / names[6]).unlink()
    # This file is unreadable too: the link may lead out of the allowed folders, and its target is not an image.
    (tmp_path / names[6]).symlink_to("/etc/hostname")
    found = of(tmp_path, shard_size=shard_size, reuse=reuse)
    for lost in (0, 3, 4, 6):
        (tmp_path / names[lost]).unlink()
    assert found == of(tmp_path, reuse=False)
    assert len(found) == 5


def test_an_audit_counts_one_pass_for_each_partner_in_another_shard(runner: Runner, ingredients: AuditInputs) -> None:
    cheap: dict[str, Any] = {"measures": ["entropy", "stability"], "reuse": False}
    for shard_size, elsewhere in ((1, 10), (6, 0), (4, 2), (5, 2), (100, 0)):  # six images of each label
        job = audit(runner, ingredients.spec(shard_size=shard_size, **cheap))
        assert job.passes_total == 2 * (12 + elsewhere)
        assert (job.passes_done, job.passes_reused) == (job.passes_total, 0)


def test_the_cached_values_of_an_image_are_used_unless_its_partner_has_changed(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    names = sorted((f"{number}.png" for number in range(8)), key=digest_of)
    for number, name in enumerate(names):
        write_image(tmp_path / name, np.random.default_rng(number))
    inserted = tmp_path / names[4]
    content = inserted.read_bytes()
    inserted.unlink()
    changes: dict[str, Any] = {"images": {"uri": tmp_path.as_uri()}, "cohorts": [ingredients.cohort("c", 0, 1)]}
    audit(runner, ingredients.spec(**changes))
    inserted.write_bytes(content)
    more = audit(runner, ingredients.spec(**changes, shard_size=3))
    # The job computes all passes of the inserted image and of the next image, whose partner has changed. It also
    # computes the clean map of the inserted image's partner, which takes one pass.
    passes = ingredients.spec().passes()
    assert more.passes_done == 2 * (2 * passes + 1)
    assert more.passes_done + more.passes_reused == more.passes_total
    assert columns_of(runner.store, more) == columns_of(
        runner.store, audit(runner, ingredients.spec(**changes, reuse=False))
    )
