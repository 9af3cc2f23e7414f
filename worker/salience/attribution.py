"""Salience methods that call the whole model: gradients at the image's pixels, and RISE, which masks the image.

`Predict` maps a batch of images (N, 3, H, W) in [0, 1] to logits (N, C), and for `rise` to probabilities. Every call
has N images, since another batch size could give other last bits. Maps have the size of the image.
"""

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from worker.probes.random_fields import generator_for

Predict = Callable[[Tensor], Tensor]
CONSTANT = 1e-6  # probabilities whose range is a smaller share of the largest one are equal up to float32's rounding


@torch.enable_grad()
def saliency(predict: Predict, images: Tensor, targets: Tensor) -> Tensor:
    """max over channels of |dY/dx|: images (N, 3, H, W) and targets (N,) -> maps (N, H, W). Simonyan et al. 2014."""
    from captum.attr import Saliency

    gradients: Tensor = Saliency(predict).attribute(images.clone().requires_grad_(), target=targets)
    return gradients.detach().amax(1)


@torch.enable_grad()
def integrated_gradients(predict: Predict, images: Tensor, targets: Tensor, *, steps: int) -> Tensor:
    """|sum over channels of x * mean of dY/dx between black and x|.

    Images (N, 3, H, W) and targets (N,) -> maps (N, H, W). Sundararajan et al. 2017. The mean is computed by
    Gauss-Legendre quadrature with `steps` points.
    """
    from captum.attr import IntegratedGradients

    attributions: Tensor = IntegratedGradients(predict).attribute(
        images, target=targets, n_steps=steps, internal_batch_size=len(images)
    )
    return attributions.detach().sum(1).abs().float()


@torch.no_grad()
def rise(predict: Predict, images: Tensor, targets: Tensor, masks: Tensor) -> Tensor:
    """Average random masks, weighted by the target's probability for the masked image.

    Images (N, 3, H, W), targets (N,) and masks (M, H, W) -> maps (N, H, W). Petsiuk et al. 2018, equation 6. All images
    get the same masks. If the probability is the same under every mask, the map is 0 everywhere: the mean of the masks
    would show the masks, not the model.
    """
    size, maps, masks = len(images), [], masks.to(images.device)
    for image, target in zip(images, targets, strict=True):
        total, lowest, highest = torch.zeros_like(masks[0]), torch.inf, -torch.inf
        for start in range(0, len(masks), size):
            batch = masks[start : start + size]
            padded = torch.cat([batch, batch[-1:].expand(size - len(batch), -1, -1)])
            weights = predict(image * padded[:, None])[: len(batch), target]
            total += (weights[:, None, None] * batch).sum(0)
            lowest, highest = min(lowest, float(weights.min())), max(highest, float(weights.max()))
        is_constant = highest - lowest <= CONSTANT * highest
        maps.append(torch.zeros_like(total) if is_constant else total / masks.sum(0).clamp(min=1e-6))
    return torch.stack(maps)


@lru_cache(maxsize=2)
def random_masks(count: int, cells: int, keep: float, seed: int, size: tuple[int, int]) -> Tensor:
    """Return RISE's masks (count, H, W) in [0, 1].

    Each is a grid of cells x cells, in which a cell is 1 with probability `keep`, enlarged and shifted by less than a
    cell.
    """
    draws = generator_for("rise", seed, f"{count}:{cells}:{keep}")
    height, width = (-(-side // cells) for side in size)
    grids = torch.from_numpy((draws.random((count, 1, cells + 1, cells + 1)) < keep).astype("float32"))
    tops, lefts = draws.integers(0, height, count), draws.integers(0, width, count)
    masks = torch.empty(count, *size)
    for n in range(count):
        large = F.interpolate(grids[n : n + 1], ((cells + 1) * height, (cells + 1) * width), mode="bilinear")[0, 0]
        masks[n] = large[tops[n] : tops[n] + size[0], lefts[n] : lefts[n] + size[1]]
    return masks
