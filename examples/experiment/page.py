"""Writes docs/experiment.md: tables, figures and an interpretation, all from the numbers of an experiment."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from examples.experiment.cohorts import AUDITED_WORLD, Accuracies, Scale
from examples.experiment.dataset import Dataset
from examples.experiment.drawing import draw_examples, draw_means
from examples.experiment.maps import compute_maps
from examples.experiment.reading import INTRODUCTION, LIMITS, read_accuracies, read_differences, read_published
from examples.experiment.worlds import TEST_WORLDS
from service.spec.model import Json

SHOWN = (1, 3, 5, 7, 9, 0, 2)  # indices of the audited images that the figure shows; odd ones are synthetic
# Parts of each measure that the table shows beside the measure itself.
PARTS = {"entropy": ("spatial",), "degradation": ("object", "gap")}
MEASURES = ("entropy", "noise", "geometry", "stability", "degradation", "human")


@dataclass(frozen=True)
class Cost:
    """Elapsed time and processor time, in seconds. Other programs affect the elapsed time more."""

    seconds: float
    processor: float


@dataclass(frozen=True)
class Outcome:
    """Results of an experiment and the folder of its files."""

    home: Path
    scale: Scale
    accuracies: Accuracies
    spec: Json
    results: Json
    cost: Cost


def write_page(outcome: Outcome, path: Path) -> None:
    """Write the page to `path`, and its figures to the folder beside the page that has the same name."""
    _draw(outcome, path.with_suffix(""))
    sections = [
        INTRODUCTION,
        _how(outcome),
        "## Accuracies\n",
        *_accuracies(outcome.accuracies),
        read_accuracies(outcome.accuracies),
        "## Measures\n",
        *_measures(outcome.results),
        "## Differences\n",
        *_differences(outcome.results),
        "## Where the models look\n",
        f"The mean map of every run over all audited images, and the mean human map:\n\n"
        f"![mean maps]({path.stem}/means.png)\n\n"
        f"Some images with the maps of every run over them, five synthetic ones first, then two real ones:\n\n"
        f"![maps of some images]({path.stem}/examples.png)\n",
        "## Interpretation\n",
        *read_differences(outcome.results),
        *read_published(outcome.results),
        LIMITS,
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(sections), encoding="utf-8")


def _how(outcome: Outcome) -> str:
    scale, provenance, cost = outcome.scale, outcome.results["provenance"], outcome.cost
    return (
        f"{scale.runs} runs per cohort, {scale.training} training images, {scale.epochs} epochs; {scale.audited} "
        f"audited images\nfrom the test set `{AUDITED_WORLD}`; torch {provenance['software']['torch']} on "
        f"{provenance['device']}; {cost.seconds:.0f} s in total, {cost.processor:.0f} s of processor time.\n"
    )


def _draw(outcome: Outcome, folder: Path) -> None:
    manifest = (outcome.home / "manifest.csv").read_text(encoding="utf-8").splitlines()[1:]
    files = [outcome.home / line.split(",")[0] for line in manifest]
    stored = torch.load(outcome.home / "data.pt", weights_only=True)[AUDITED_WORLD]
    human = (Dataset(**stored).first(len(files)).human / 255).numpy()
    maps, shown = compute_maps(outcome.spec, files), list(SHOWN)
    images = np.stack([np.asarray(Image.open(files[n]), dtype=np.float32) / np.float32(255) for n in shown])
    draw_means(maps, human, folder / "means.png")
    some = {name: runs[:, shown] for name, runs in maps.items()}
    draw_examples(some, images, human[shown], folder / "examples.png")


def _accuracies(accuracies: Accuracies) -> Iterator[str]:
    cells = [[name, *(_spread([run[name] for run in runs]) for runs in accuracies.values())] for name in TEST_WORLDS]
    yield _table(["test set", *accuracies], cells)


def _spread(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def _measures(results: Json) -> Iterator[str]:
    cells = []
    for measure in MEASURES:
        cells.append([f"`{measure}`", *(_mean(each["measures"][measure]) for each in results["cohorts"].values())])
        for part in PARTS.get(measure, ()):
            found = [_mean(each["measures"][measure]["parts"][part]) for each in results["cohorts"].values()]
            cells.append([f"`{measure}`, part `{part}`", *found])
    yield "Means over images and runs, with 95 % intervals:\n"
    yield _table(["measure", *results["cohorts"]], cells)


def _differences(results: Json) -> Iterator[str]:
    parts = [f"{measure}.parts.{part}" for measure, names in PARTS.items() for part in names]
    cells = [
        [f"`{each['measure']}`", f"{each['a']} - {each['b']}", _mean(each, "+"), f"{each['d_z']:+.2f}"]
        for each in results["differences"]
        if each["measure"] in (*MEASURES, *parts)
    ]
    yield "Paired by image; d_z is the mean over the standard deviation of the images' differences:\n"
    yield _table(["measure", "difference", "mean", "d_z"], cells)


def _mean(found: Json, sign: str = "") -> str:
    interval = found["ci95"]  # stability of two runs has none
    return f"{found['mean']:{sign}.3f}" + (f" [{interval[0]:{sign}.3f}, {interval[1]:{sign}.3f}]" if interval else "")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
