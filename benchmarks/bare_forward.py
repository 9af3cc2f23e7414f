"""Seconds per image of a model's bare forward pass: eager, float32, contiguous, at the fastest of several batch sizes.

It runs in a process of its own, so that the audit's settings (allocator, threads) do not speed it up.
"""

import argparse
import time

import torch

from benchmarks.material import SIDE
from worker.models import architectures as zoo

BATCHES = (1, 4, 8, 16, 32)


def main() -> None:
    """Print the seconds per image."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    torch.manual_seed(0)
    model = zoo.build(f"torchvision/{arguments.model}", 2).eval().to(device)
    with torch.no_grad():
        print(min(_seconds(model, torch.rand(size, 3, SIDE, SIDE, device=device)) for size in BATCHES))


def _seconds(model: torch.nn.Module, images: torch.Tensor, count: int = 32) -> float:
    """Return the minimum of three timings over `count` images, after one to warm up."""
    found = []
    for _ in range(4):
        start = time.perf_counter()
        for _ in range(count // len(images)):
            model(images)
        if images.is_cuda:
            torch.cuda.synchronize()
        found.append((time.perf_counter() - start) / (count // len(images) * len(images)))
    return min(found[1:])


if __name__ == "__main__":
    main()
