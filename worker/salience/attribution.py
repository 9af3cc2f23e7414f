"""Salience that asks the whole model: gradients at the picture's pixels, and a black box's answers to masks.

`Ask` takes a chunk of pictures (N, 3, H, W) in [0, 1] to logits (N, C), for `rise` to probabilities; it is
always asked for N pictures, since other numbers could give other last bits. Maps are as large as the picture.
"""

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from worker.probes.random_fields import generator_for

Ask = Callable[[Tensor], Tensor]


@torch.enable_grad()
def saliency(ask: Ask, images: Tensor, targets: Tensor) -> Tensor:
    """max over channels of |dY/dx|. (N, 3, H, W), (N,) -> (N, H, W). Simonyan et al. 2014."""
    from captum.attr import Saliency

    found: Tensor = Saliency(ask).attribute(images.clone().requires_grad_(), target=targets)
    return found.detach().amax(1)


@torch.enable_grad()
def integrated_gradients(ask: Ask, images: Tensor, targets: Tensor, *, steps: int) -> Tensor:
    """|sum over channels of x * mean of dY/dx between black and x|. (N, 3, H, W), (N,) -> (N, H, W).

    Sundararajan et al. 2017; the mean is taken by Gauss and Legendre's rule of so many steps.
    """
    from captum.attr import IntegratedGradients

    found: Tensor = IntegratedGradients(ask).attribute(
        images, target=targets, n_steps=steps, internal_batch_size=len(images)
    )
    return found.detach().sum(1).abs().float()


@torch.no_grad()
def rise(ask: Ask, images: Tensor, targets: Tensor, masks: Tensor) -> Tensor:
    """The mean of random masks (M, H, W), each weighed by the target's probability under it. -> (N, H, W).

    Petsiuk et al. 2018, equation 6; all pictures are shown through the same masks.
    """
    size, found, masks = len(images), [], masks.to(images.device)
    for image, target in zip(images, targets, strict=True):
        total = torch.zeros_like(masks[0])
        for start in range(0, len(masks), size):
            some = masks[start : start + size]
            shown = torch.cat([some, some[-1:].expand(size - len(some), -1, -1)])
            weights = ask(image * shown[:, None])[: len(some), target]
            total += (weights[:, None, None] * some).sum(0)
        found.append(total / masks.sum(0).clamp(min=1e-6))
    return torch.stack(found)


@lru_cache(maxsize=2)
def random_masks(count: int, cells: int, keep: float, seed: int, size: tuple[int, int]) -> Tensor:
    """RISE's masks (count, H, W) in [0, 1]: a grid of cells kept or not, enlarged, moved by less than a cell."""
    draws = generator_for("rise", seed, f"{count}:{cells}:{keep}")
    height, width = (-(-side // cells) for side in size)
    grids = torch.from_numpy((draws.random((count, 1, cells + 1, cells + 1)) < keep).astype("float32"))
    tops, lefts = draws.integers(0, height, count), draws.integers(0, width, count)
    masks = torch.empty(count, *size)
    for n in range(count):
        large = F.interpolate(grids[n : n + 1], ((cells + 1) * height, (cells + 1) * width), mode="bilinear")[0, 0]
        masks[n] = large[tops[n] : tops[n] + size[0], lefts[n] : lefts[n] + size[1]]
    return masks
