"""Tests with an image that crashes the worker: the job fails with a clear error, and other jobs succeed."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from tests.support.jobs import SIZE, AuditInputs, write_image
from tests.support.processes import Installation

LEASE_SECONDS = 1


class Deadly(nn.Module):
    """A model of two classes that crashes the process on a white image: it divides the smallest integer by -1."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.ReLU())
        self.head = nn.Linear(6, 2)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 2)."""
        if bool(images[0].min() > 2.0):
            none = int((images * 0).sum())
            images = images + float((-9223372036854775807 - 1 + none) % (none - 1))
        pooled: Tensor = self.head(self.features(images).relu().mean((2, 3)))
        return pooled


@pytest.fixture
def deadly(ingredients: AuditInputs, tmp_path: Path) -> dict[str, object]:
    """The spec of a job with five images, one of which crashes the worker."""
    torch.jit.save(torch.jit.script(Deadly().eval()), tmp_path / "deadly.pt")
    for number in range(4):
        write_image(tmp_path / "pictures" / f"{number}.png", np.random.default_rng(number))
    Image.new("RGB", (SIZE, SIZE), "white").save(tmp_path / "pictures" / "white.png")
    cohort = {**ingredients.cohort("deadly", 0), "runs": [{"uri": (tmp_path / "deadly.pt").as_uri()}]}
    images = {"uri": (tmp_path / "pictures").as_uri()}
    return ingredients.body(cohorts=[cohort], images=images, measures=["entropy"], shard_size=1)


def test_a_shard_that_crashes_its_worker_fails_its_own_job_only(
    deadly: dict[str, object], ingredients: AuditInputs, tmp_path: Path, redis_url: str
) -> None:
    broker = redis_url.removesuffix("/0") + "/5"
    installation = Installation.make(tmp_path, broker_url=broker, lease_seconds=LEASE_SECONDS, sweep_seconds=0.2)
    installation.run("migrate")
    with installation.serve(), installation.start("worker"):
        poisoned = installation.run("submit", installation.write_spec(deadly)).strip()
        other = installation.run("submit", installation.write_spec(ingredients.body())).strip()
        assert json.loads(installation.run("wait", other, "--json"))["state"] == "succeeded"
        error = json.loads(installation.run("wait", poisoned, "--json", status=2))["error"]
    assert error["type"] == "shard-lost"
    assert re.match(r"The shard of images \d to \d \(cohort 0\) killed its worker 3 times", error["detail"])
