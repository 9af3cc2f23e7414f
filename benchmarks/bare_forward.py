"""Seconds a picture of a model's bare forward pass: eager, float32, contiguous, at the best of several batch sizes.

A process of its own, so that nothing the audit sets (its allocator, its threads) speeds up what it is compared with.
"""

import argparse
import time

import torch

from benchmarks.material import SIDE
from worker.models import architectures as zoo

BATCHES = (1, 4, 8, 16, 32)


def main() -> None:
    """Print the seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    device = torch.device(given.device)
    torch.manual_seed(0)
    model = zoo.build(f"torchvision/{given.model}", 2).eval().to(device)
    with torch.no_grad():
        print(min(_seconds(model, torch.rand(size, 3, SIDE, SIDE, device=device)) for size in BATCHES))


def _seconds(model: torch.nn.Module, images: torch.Tensor, source: int = 32) -> float:
    """The least of three tries of some pictures, after one to warm up."""
    found = []
    for _ in range(4):
        start = time.perf_counter()
        for _ in range(source // len(images)):
            model(images)
        if images.is_cuda:
            torch.cuda.synchronize()
        found.append((time.perf_counter() - start) / (source // len(images) * len(images)))
    return min(found[1:])


if __name__ == "__main__":
    main()
