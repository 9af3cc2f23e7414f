"""From a picture in [0, 1] to the model's own input: channels, scale, mean and standard deviation."""

import torch
from torch import Tensor

from service.spec.model import Preprocessing

# ITU-R 601 luma, as Pillow converts to grey.
LUMA = (0.299, 0.587, 0.114)


def normalise(images: Tensor, preprocessing: Preprocessing) -> Tensor:
    """(N, 3, H, W) RGB in [0, 1] -> (N, 3 or 1, H, W) as the model was trained to see it."""
    if preprocessing.channels == "bgr":
        images = images.flip(1)
    elif preprocessing.channels == "gray":
        images = (images * images.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
    mean, std = (images.new_tensor(each)[:, None, None] for each in (preprocessing.mean, preprocessing.std))
    scaled = images if preprocessing.scale == 1 else images * preprocessing.scale
    if images.is_cuda or images.requires_grad:
        return (scaled - mean).div_(std)
    # As the model's convolutions want it, in one go: colour by colour, a CPU writes what it has just read.
    found = torch.empty_like(scaled, memory_format=torch.channels_last)
    for channel in range(scaled.shape[1]):
        torch.div(scaled[:, channel] - mean[channel], std[channel], out=found[:, channel])
    return found
