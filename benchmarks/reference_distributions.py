"""Measures of untrained models, as a reference for thresholds: `python -m benchmarks.reference_distributions`.

Audits torchvision's architectures with random weights on drawn faces through the local audit. Prints a table for each
measure: mean with 95 % interval, chance, corrected mean, and the 5 and 95 % quantiles over images and runs.
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from examples.experiment.dataset import make_dataset, save_dataset
from examples.experiment.worlds import UNCORRELATED
from service.domain.job import JobState
from service.spec.model import JobSpec
from worker.local import local_audit
from worker.models import architectures as zoo
from worker.settings import WorkerSettings

ARCHITECTURES = ("resnet18", "mobilenet_v3_small", "densenet121", "efficientnet_b0", "vgg11", "convnext_tiny")
MEASURES = ("entropy", "noise", "geometry", "stability", "degradation")
HEAD = "| architecture | mean | chance | corrected | 5 to 95 % |\n| --- | --- | --- | --- | --- |"

Cohort = Mapping[str, Any]


def main() -> None:
    """Audit each architecture in a job of its own, and print one table per measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architectures", nargs="+", default=ARCHITECTURES, metavar="NAME")
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--runs", type=int, default=3, help="models with other random weights per architecture")
    parser.add_argument("--size", type=int, default=96, help="input size in pixels")
    arguments = parser.parse_args()
    cohorts = {}
    with TemporaryDirectory() as name:
        folder = Path(name)
        save_dataset(make_dataset(arguments.images, 0, UNCORRELATED), folder)
        for each in arguments.architectures:
            start = time.monotonic()
            runs = _save_models(each, arguments.runs, folder)
            cohorts[each] = _audit(each, runs, arguments.size, folder)
            print(f"{each}: {time.monotonic() - start:.0f} s, degenerate {cohorts[each]['degenerate']['mean']:.0%}")
    for measure in MEASURES:
        print("\n".join(["", f"`{measure}`", "", HEAD, *(_row(each, cohorts[each], measure) for each in cohorts)]))


def _save_models(architecture: str, count: int, folder: Path) -> list[Path]:
    """Save models of two classes with random weights, one per seed from 0. Returns their checkpoints."""
    paths = [folder / f"{architecture}-{seed}.pt" for seed in range(count)]
    for seed, path in enumerate(paths):
        torch.manual_seed(seed)
        torch.save({"state_dict": zoo.build(f"torchvision/{architecture}", 2).state_dict()}, path)
    return paths


def _audit(architecture: str, runs: Sequence[Path], size: int, folder: Path) -> Cohort:
    """Return the results of one cohort, the models of an architecture."""
    model = {"architecture": f"torchvision/{architecture}", "preprocessing": {"size": [size, size]}}
    cohort = {"name": architecture, "model": model, "runs": [{"uri": run.as_uri()} for run in runs]}
    images = {"uri": (folder / "pictures").as_uri()}
    spec = JobSpec.model_validate({"cohorts": [cohort], "images": images, "measures": MEASURES})
    with local_audit(spec, WorkerSettings()) as running:
        job = running.run()
        assert job.state is JobState.SUCCEEDED, job.error
        found: Cohort = json.loads(running.store.jobs.summary(job.id) or "null")["cohorts"][architecture]
        return found


def _row(architecture: str, cohort: Cohort, measure: str) -> str:
    """Return a row of a table in Markdown. Numbers that the results lack are dashes."""
    each = cohort["measures"][measure]
    mean = f"{_text(each['mean'])} {_span(each['ci95'])}".strip()
    cells = [mean, _text(each.get("chance")), _text(each.get("corrected"))]
    return f"| {architecture} | {' | '.join(cells)} | {_text(each['q05'])} to {_text(each['q95'])} |"


def _span(ends: Sequence[float] | None) -> str:
    return f"[{_text(ends[0])}, {_text(ends[1])}]" if ends else ""


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    main()
