"""Makes all data and models of an experiment in one folder, with one process per core.

Each process computes on one thread: models this small do not train faster on more threads, and the results then do not
depend on the number of cores.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import torch

from examples.experiment.dataset import Dataset, make_dataset, save_dataset
from examples.experiment.training import RECIPES, accuracy, save, train
from examples.experiment.worlds import TEST_WORLDS, TRAINING

AUDITED_WORLD = "no shortcut"
PAIR = ("cross-entropy", "human-guided")
PART = 500  # images that one process makes at a time

Accuracies = Mapping[str, Sequence[Mapping[str, float]]]


@dataclass(frozen=True)
class Scale:
    """Size of an experiment: runs per cohort, numbers of training, test and audited images, and training epochs."""

    runs: int
    training: int
    tested: int
    audited: int
    epochs: int


FULL = Scale(runs=5, training=4000, tested=500, audited=200, epochs=12)
QUICK = Scale(runs=5, training=2500, tested=300, audited=80, epochs=10)


def make_cohorts(home: Path, scale: Scale, recipes: Sequence[str], show: Callable[[str], None]) -> Accuracies:
    """Make the images, then train and save every run of every recipe. Returns each run's accuracies by test set."""
    found: dict[str, list[Mapping[str, float]]] = {recipe: [{}] * scale.runs for recipe in recipes}
    with _processes() as pool:
        show(f"Making {scale.training} training images and {len(TEST_WORLDS)} test sets ...")
        _make_data(pool, home, scale)
        work = {pool.submit(_run, home, recipe, seed, scale): (recipe, seed)
                for recipe in recipes for seed in range(scale.runs)}  # fmt: skip
        for number, done in enumerate(as_completed(work), 1):
            recipe, seed = work[done]
            found[recipe][seed] = done.result()
            right = done.result()[AUDITED_WORLD]
            trained = f"Trained model {number} of {len(work)}: {recipe}, run {seed + 1}"
            show(f"{trained}; accuracy without shortcut: {right:.3f}")
    return found


@contextmanager
def _processes() -> Iterator[ProcessPoolExecutor]:
    # Spawn, since a fork is unsafe after torch has computed.
    pool = ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), torch.set_num_threads, (1,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _make_data(pool: ProcessPoolExecutor, home: Path, scale: Scale) -> None:
    home.mkdir(parents=True, exist_ok=True)
    starts = range(0, scale.training, PART)
    parts = [pool.submit(make_dataset, min(PART, scale.training - s), 1000 + s, TRAINING) for s in starts]
    tests = {
        name: pool.submit(make_dataset, scale.tested, number, world)
        for number, (name, world) in enumerate(TEST_WORLDS.items())
    }
    made = [part.result() for part in parts]
    whole = Dataset(*(torch.cat([getattr(part, name) for part in made]) for name in ("images", "labels", "human")))
    sets = {"training": whole, **{name: test.result() for name, test in tests.items()}}
    torch.save({name: asdict(data) for name, data in sets.items()}, home / "data.pt")
    save_dataset(sets[AUDITED_WORLD].first(scale.audited), home)


def _run(home: Path, recipe: str, seed: int, scale: Scale) -> Mapping[str, float]:
    sets = {name: Dataset(**data) for name, data in torch.load(home / "data.pt", weights_only=True).items()}
    detector, _ = train(sets.pop("training"), RECIPES[recipe], seed, scale.epochs)
    save(detector, model_path(home, recipe, seed))
    return {name: accuracy(detector, data) for name, data in sets.items()}


def model_path(home: Path, recipe: str, seed: int) -> Path:
    """Return the path of a run's archive."""
    return home / "models" / recipe / f"{seed + 1}.pt"
