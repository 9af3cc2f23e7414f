"""Time of a plain script over the time of an audit of the same images: `python -m benchmarks.audit_over_peer`.

The script is a simple implementation, image by image: Grad-CAM with hooks and autograd, scikit-image, scipy and Pillow.
It computes the measures that a single run has: entropy, noise, geometry and degradation.
"""

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.measure import shannon_entropy
from skimage.metrics import structural_similarity
from torch import Tensor, nn

from benchmarks.audit_over_forward import audit_seconds
from benchmarks.material import SIDE, make_images, make_model, make_spec
from service.measures.geometry import SHIFTS
from service.measures.noise import AMOUNTS
from service.spec.model import JobSpec

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


class Script:
    """A model with a hook at one layer."""

    def __init__(self, model: nn.Module, layer: str, device: torch.device) -> None:
        self.model, self.device, self.features = model.to(device), device, torch.empty(0)
        model.get_submodule(layer).register_forward_hook(self._store_features)

    def _store_features(self, _module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        self.features = output
        return output.clone()

    def explain(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the native map and the resized map of an image (3, H, W)."""
        values = ((image - MEAN[:, None, None]) / STD[:, None, None]).astype(np.float32)
        logits = self.model(torch.from_numpy(values)[None].to(self.device))
        (gradients,) = torch.autograd.grad(logits.max(), self.features)
        raw = (gradients.mean((2, 3), keepdim=True) * self.features).sum(1).relu()[0].detach().cpu().numpy()
        native = (raw - raw.min()) / max(raw.max() - raw.min(), 1e-12)
        large = Image.fromarray(native).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        return native, np.asarray(large).clip(0, 1)

    def audit(self, path: Path) -> dict[str, float]:
        """Compute all measures of one image file."""
        with Image.open(path) as opened:
            small = opened.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        image = np.asarray(small, dtype=np.float32).transpose(2, 0, 1) / 255
        native, clean = self.explain(image)
        entropy = shannon_entropy(np.floor(255 * native)) / math.log2(min(native.size, 256))
        u, v = np.random.default_rng(0).random((2, *image.shape), dtype=np.float32)
        noisy = [np.where(u < amount, (v < 0.5).astype(np.float32), image) for amount in AMOUNTS]
        noise = [_similarity(clean, self.explain(each)[1]) for each in noisy]
        turns = [lambda a: a[..., ::-1], lambda a: a[..., ::-1, :], *(_turn(k) for k in (1, 3))]
        geometry = [_similarity(turn(clean), self.explain(turn(image).copy())[1]) for turn in turns]
        for name in SHIFTS:
            dx, dy = map(int, name.removeprefix("shift:").split(","))
            rows, columns = slice(max(dy, 0), SIDE + min(dy, 0)), slice(max(dx, 0), SIDE + min(dx, 0))
            there, here = self.explain(_shift(image, dx, dy))[1], _shift(clean, dx, dy)
            geometry.append(_similarity(here[rows, columns], there[rows, columns]))
        blurred = [_similarity(clean, self.explain(_blur(image, guide))[1]) for guide in (clean, 1 - clean)]
        parts = {"entropy": [entropy], "noise": noise, "geometry": geometry, "degradation": blurred[:1]}
        return {name: sum(values) / len(values) for name, values in parts.items()}


def _turn(times: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda a: np.rot90(a, times, axes=(-2, -1))


def _shift(values: np.ndarray, dx: int, dy: int) -> np.ndarray:
    rows, columns = (np.clip(np.arange(SIDE) - by, 0, SIDE - 1) for by in (dy, dx))
    return values[..., rows, :][..., columns]


def _similarity(a: np.ndarray, b: np.ndarray) -> float:
    """Return the SSIM. Also compute the other three similarities, as the audit does."""
    np.corrcoef(a.ravel(), b.ravel())
    ((a - b) ** 2).mean()
    tops = [np.argsort(-each.ravel(), kind="stable")[: round(0.2 * each.size)] for each in (a, b)]
    len(np.intersect1d(tops[0], tops[1]))
    return float(structural_similarity(a, b, data_range=1))


def _blur(image: np.ndarray, guide: np.ndarray) -> np.ndarray:
    smooth = gaussian_filter(guide.astype(float), 5)
    levels = np.round(10 * smooth / smooth.max(), 1)
    out = np.empty_like(image)
    for level in np.unique(levels):
        sigma = (10 - level) ** 4 / 1000
        filtered = np.stack([gaussian_filter(channel, sigma) for channel in image])
        out[:, levels == level] = filtered[:, levels == level]
    return out


def main() -> None:
    """Print the times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--layer", default=None, help="layer4 of a ResNet, else features")
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--images",
        type=int,
        default=128,
        help="number of images; with few, the start of the audit takes a large share of the time",
    )
    parser.add_argument("--script-images", type=int, default=8, help="number of images that the script processes")
    arguments = parser.parse_args()
    layer = arguments.layer or ("layer4" if arguments.model.startswith("resnet") else "features")
    with TemporaryDirectory() as folder:
        model = make_model(arguments.model, Path(folder, "m.pth"))
        images = make_images(Path(folder, "images"), arguments.images)
        spec = JobSpec.model_validate(make_spec(arguments.model, Path(folder, "m.pth"), images))
        script, paths = Script(model, layer, torch.device(arguments.device)), sorted(images.glob("*.png"))
        script.audit(paths[0])
        start = time.perf_counter()
        for path in paths[: arguments.script_images]:
            script.audit(path)
        script_seconds = (time.perf_counter() - start) / arguments.script_images
        audit_time = audit_seconds(spec, arguments.device) / arguments.images
    print(
        f"{arguments.model} on {arguments.device}: script {script_seconds:.2f} s per image, "
        f"audit {audit_time:.3f} s, ratio {script_seconds / audit_time:.2f}"
    )


if __name__ == "__main__":
    main()
