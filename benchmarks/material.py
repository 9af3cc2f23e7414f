"""Makes images and models for the benchmarks from a seed, without downloads."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from worker.models import architectures as zoo

SIDE = 224


def make_images(folder: Path, count: int) -> Path:
    """Write PNG images of 256 x 256 pixels with smooth content and a little noise. Returns their folder."""
    random = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        values = np.asarray(coarse.resize((256, 256), Image.Resampling.BICUBIC)).astype(float)
        noisy = np.clip(values + random.normal(0, 6, values.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"{number:05}.png")
    return folder


def make_model(name: str, path: Path) -> nn.Module:
    """Make a torchvision classifier of two classes with random weights, save its checkpoint and return it."""
    torch.manual_seed(0)
    model = zoo.build(f"torchvision/{name}", 2).eval()
    torch.save({"state_dict": model.state_dict()}, path)
    return model


def make_spec(name: str, checkpoint: Path, images: Path, **changes: Any) -> dict[str, Any]:
    """Return the spec of an audit of one run, with all measures that a single run has."""
    model = {"architecture": f"torchvision/{name}"}
    cohort = {"name": name, "model": model, "runs": [{"uri": checkpoint.as_uri()}]}
    return {"cohorts": [cohort], "images": {"uri": images.as_uri()}, **changes}
