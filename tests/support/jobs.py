"""Makes the inputs of small audits: tiny models, twelve images, and specs that name them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from service.spec.model import JobSpec
from tests.support.models import TinyNet, save_archive

SIZE = 24
CLASSES = ("real", "synthetic")


@dataclass(frozen=True)
class AuditInputs:
    """The paths of the models and of the folder of images, which specs of the tests name."""

    root: Path
    models: Sequence[Path]
    images: Path

    def body(self, **changes: Any) -> dict[str, Any]:
        """Return the spec of a job with one cohort of two runs as JSON; `changes` replace fields of the spec."""
        return {
            "cohorts": [self.cohort("plain", 0, 1)],
            "images": {"uri": self.images.as_uri()},
            **OPTIONS,
            **changes,
        }

    def cohort(self, name: str, *models: int, **model: Any) -> dict[str, Any]:
        """Return a cohort of the models with these numbers as JSON; `model` has further fields of `cohort.model`."""
        runs = [{"uri": self.models[number].as_uri()} for number in models]
        return {"name": name, "model": {"preprocessing": {"size": [SIZE, SIZE]}, **model}, "runs": runs}

    def spec(self, **changes: Any) -> JobSpec:
        """Return the spec of `body` as a JobSpec."""
        return JobSpec.model_validate(self.body(**changes))


# Few variants and few stored maps, so that audits are fast. Every measure still has a value.
OPTIONS: Mapping[str, Any] = {
    "options": {"noise": {"amounts": [0.1, 0.5]}, "geometry": {"transforms": ["hflip", "shift:4,0"]}},
    "maps": {"keep": 2},
}


def make_audit_inputs(root: Path) -> AuditInputs:
    """Write three models with different seeds and twelve images in two folders."""
    models = [save_archive(TinyNet(seed), root / f"model-{seed}.pt", SIZE) for seed in range(3)]
    random = np.random.default_rng(0)
    for name in CLASSES:
        for number in range(6):
            write_image(root / "pictures" / name / f"{number}.png", random)
    return AuditInputs(root, models, root / "pictures")


def write_image(path: Path, random: np.random.Generator, side: int = 30) -> Path:
    """Write an image of random blocks of 6 x 6 pixels, whose contrast survives resizing. Returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = random.integers(0, 256, (side // 6, side // 6, 3), dtype=np.uint8)
    Image.fromarray(blocks.repeat(6, axis=0).repeat(6, axis=1)).save(path)
    return path
