"""How often a gate passes an honest model by chance: `python -m benchmarks.burn_in`.

Audits a pool of images once, with a small trained model, and takes the pool as the population: its means are the truth.
Each replication draws a set of images from the pool with replacement, and judges rules whose thresholds lie 0, 1 and 2
standard errors on the good side of the truth (the standard deviation of the pool over the square root of the set's
size). The intervals, the interim looks and the verdicts are those of the service; only the drawing of images is
simulated, since every drawn set has the stored values of the one audit. Soundness checks are off, so that the rules
alone decide. Each rule is a gate of its own.

At a margin of 0, a rule is true by nothing, and each pass and each fail is wrong: at most 2.5 % each are wanted. At
larger margins, each fail is wrong.
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import binomtest
from torch import Tensor, nn

from service.domain.job import JobState
from service.gate import Outcome, Rule, judge
from service.gate.checks import CHECKS
from service.gate.soundness import Limits
from service.spec.model import JobSpec
from service.storage.interim import next_interim_look
from tests.support.models import TinyNet, save_archive
from worker.local import local_audit
from worker.results.build import cohort_values
from worker.results.columns import load_columns
from worker.results.interim import DECIDED
from worker.settings import WorkerSettings
from worker.statistics.cohort import CohortValues
from worker.statistics.confidence_sequence import ALPHA, Confidence
from worker.statistics.final_estimate import FinalEstimate
from worker.statistics.interim_estimate import InterimEstimate
from worker.statistics.results import interim_results
from worker.statistics.tree import Estimate

SIDE, CLASSES, COHORT = 32, ("real", "synthetic"), "honest"
COLUMNS: Mapping[str, str] = {"entropy": "entropy", "noise": "noise", "accuracy": "correct"}
OPS: tuple[Literal["<=", ">="], ...] = (">=", "<=")
MARGINS = (0, 1, 2)
OFF: Limits = dict.fromkeys(CHECKS, "off")
OUTCOMES = (Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.FAIL)


@dataclass(frozen=True)
class Case:
    """A rule whose threshold lies `margin` standard errors on the good side of the truth."""

    rule: Rule
    margin: int


def main() -> None:
    """Audit the pool and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=200)
    parser.add_argument("--pool", type=int, default=400, help="images of the pool")
    parser.add_argument("--images", type=int, default=200, help="images of each set")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder, audited_pool(Path(folder), arguments.pool) as pool:
        cases = make_cases(pool, arguments.images)
        _print(cases, *burn_in(pool, cases, arguments.images, arguments.replications))


@contextmanager
def audited_pool(folder: Path, images: int) -> Iterator[CohortValues]:
    """Audit images with a trained model, and yield the values that the job stored."""
    random = np.random.default_rng(0)
    model = save_archive(_trained(random), folder / "model.pt", SIDE)
    pixels, labels = _draw_images(images, random)
    for number, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        path = folder / "images" / CLASSES[label] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    cohort = {"name": COHORT, "model": {"preprocessing": {"size": [SIDE, SIDE]}}, "runs": [{"uri": model.as_uri()}]}
    spec = {
        "cohorts": [cohort],
        "images": {"uri": (folder / "images").as_uri()},
        "measures": ["entropy", "noise"],
        "options": {"noise": {"amounts": [0.1]}},
        "maps": {"keep": 0},
    }
    with local_audit(JobSpec.model_validate(spec), WorkerSettings()) as running:
        job = running.run()
        assert job.state is JobState.SUCCEEDED, job.error
        with load_columns(job, job.image_sets[0], running.store, lambda: None) as table:
            yield cohort_values(job, 0, job.image_sets[0], table, lambda: None)


def _draw_images(count: int, random: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return images (n, H, W, 3) of coarse noise and their classes (n,); those of class 1 have a faint bright patch."""
    labels = random.integers(0, 2, count)
    coarse = random.normal(110, 35, (count, SIDE // 4, SIDE // 4, 3))
    for image, label in zip(coarse, labels, strict=True):
        y, x = random.integers(0, SIDE // 4 - 3, 2)
        image[y : y + 3, x : x + 3] += 30 * label
    return np.clip(coarse.repeat(4, 1).repeat(4, 2), 0, 255).astype(np.uint8), labels


def _trained(random: np.random.Generator) -> nn.Module:
    """Return a small model, trained on images of its own until it is right more often than not."""
    pixels, labels = _draw_images(400, random)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    inputs: Tensor = ((torch.from_numpy(pixels) / 255 - mean) / deviation).permute(0, 3, 1, 2)
    model = TinyNet().train()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(150):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), torch.from_numpy(labels)).backward()
        optimizer.step()
    return model.eval()


def make_cases(pool: CohortValues, images: int, columns: Mapping[str, str] = COLUMNS) -> list[Case]:
    """Return the rules on every measure, in both directions, at every margin."""
    found = []
    for (measure, column), op, margin in product(columns.items(), OPS, MARGINS):
        values = pool.column(column)
        shift = margin * float(np.nanstd(values)) / images**0.5
        value = float(np.nanmean(values)) + (shift if op == "<=" else -shift)
        found.append(Case(Rule(measure=measure, op=op, value=value), margin))
    return found


def burn_in(
    pool: CohortValues, cases: Sequence[Case], images: int, replications: int
) -> tuple[list[Counter[Outcome]], list[Counter[Outcome]], list[float]]:
    """Return how often each case has each outcome without `stop` and with it, and the mean images used with `stop`."""
    random = np.random.default_rng(1)
    fixed: list[Counter[Outcome]] = [Counter() for _ in cases]
    stopped: list[Counter[Outcome]] = [Counter() for _ in cases]
    spent = [0] * len(cases)
    rules = [case.rule for case in cases]
    for _ in range(replications):
        drawn = select(pool, random.integers(0, len(pool.labels), images))
        for number, outcome in enumerate(outcomes(drawn, rules, FinalEstimate())):
            fixed[number][outcome] += 1
        for number, (outcome, seen) in enumerate(outcomes_with_stop(drawn, rules)):
            stopped[number][outcome] += 1
            spent[number] += seen
    return fixed, stopped, [each / replications for each in spent]


def select(pool: CohortValues, rows: NDArray[np.int64]) -> CohortValues:
    """Return the values of these images, without detection performance and chance, which no rule here judges."""
    labels = [pool.labels[row] for row in rows]
    return replace(
        pool, runs=pool.runs[rows], across=pool.across[rows], labels=labels, predictions=None, partners=None,
        similarities=(),
    )  # fmt: skip


def outcomes(drawn: CohortValues, rules: Sequence[Rule], estimate: Estimate) -> list[Outcome]:
    """Return the outcome of each rule by the service's own intervals and verdict."""
    nothing: dict[str, Any] = {"checks": [], "runs": []}
    read = {"soundness": {drawn.name: nothing}, "provenance": {"images": {"read": len(drawn.labels)}}}
    verdict = judge({**interim_results([drawn], estimate), **read}, rules, OFF)
    return [each.outcome for each in verdict.rules]


def outcomes_with_stop(drawn: CohortValues, rules: Sequence[Rule]) -> list[tuple[Outcome, int]]:
    """Return the outcome of each rule and the images it took, each rule being the only one of a job with `stop`."""
    total, seen = len(drawn.labels), 0
    estimate, found = InterimEstimate(Confidence(ALPHA, total)), dict[int, tuple[Outcome, int]]()
    while seen < total and len(found) < len(rules):
        seen = next_interim_look(seen, total)
        for number, outcome in enumerate(outcomes(select(drawn, np.arange(seen)), rules, estimate)):
            if outcome in DECIDED or seen == total:
                found.setdefault(number, (outcome, seen))
    return [found[number] for number in range(len(rules))]


def _print(
    cases: Sequence[Case],
    fixed: Sequence[Counter[Outcome]],
    stopped: Sequence[Counter[Outcome]],
    spent: Sequence[float],
) -> None:
    print("| rule | margin | pass | inconclusive | fail | with `stop`: pass | inconclusive | fail | images, mean |")
    print("| --- " * 9 + "|")
    for case, plain, early, images in zip(cases, fixed, stopped, spent, strict=True):
        assert not set(plain + early) - set(OUTCOMES), "a rule could not be judged"
        cells = [_share(each[outcome], each.total()) for each in (plain, early) for outcome in OUTCOMES]
        print(f"| {case.rule.measure} {case.rule.op} | {case.margin} | {' | '.join(cells)} | {images:.0f} |")
    print(f"\nfalse passes at margin 0 without `stop`: {_false_passes(cases, fixed)}")
    print(f"false passes at margin 0 with `stop`: {_false_passes(cases, stopped)}")


def _false_passes(cases: Sequence[Case], found: Sequence[Counter[Outcome]]) -> str:
    """Return the false passes of each rule and their exact binomial 95 % interval (Clopper and Pearson)."""
    lines = []
    for case, each in zip(cases, found, strict=True):
        if case.margin == 0:
            wrong, total = each[Outcome.PASS], each.total()
            low, high = binomtest(wrong, total).proportion_ci()
            lines.append(f"{case.rule.measure} {case.rule.op} {wrong} of {total} [{low:.1%}, {high:.1%}]")
    return "; ".join(lines)


def _share(count: int, total: int) -> str:
    return f"{count / total:.1%}"


if __name__ == "__main__":
    main()
