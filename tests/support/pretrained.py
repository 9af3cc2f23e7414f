"""Makes tiny models of the transformers library, and saves them with save_pretrained."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from worker.models import architectures as zoo

SIDE = 32
NAMES = ("cat", "dog", "owl")


def make_resnet(names: tuple[str, ...] = NAMES) -> Any:
    """Return a ResNet of four small stages with these class names."""
    zoo.import_torchvision()
    from transformers import ResNetConfig, ResNetForImageClassification

    torch.manual_seed(0)
    sizes: dict[str, Any] = {"embedding_size": 8, "hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1]}
    made: Any = ResNetForImageClassification(ResNetConfig(id2label=dict(enumerate(names)), **sizes))
    return made.eval()


def make_vit(names: tuple[str, ...] = NAMES) -> Any:
    """Return a vision transformer of two layers over 4 x 4 patches with these class names."""
    zoo.import_torchvision()
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(0)
    sizes: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    sizes |= {"intermediate_size": 32, "image_size": SIDE, "patch_size": 8}
    made: Any = ViTForImageClassification(ViTConfig(id2label=dict(enumerate(names)), **sizes))
    return made.eval()


def save_pretrained(model: nn.Module, folder: Path, **processor: Any) -> Path:
    """Save a model and an image processor that resizes images to SIDE x SIDE. Returns `folder`.

    `processor` overrides options of the image processor.
    """
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    saved: Any = model
    saved.save_pretrained(folder)
    options = {"size": {"height": SIDE, "width": SIDE}, **processor}
    ViTImageProcessorPil(**options).save_pretrained(folder)
    return folder
