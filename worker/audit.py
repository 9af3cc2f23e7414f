"""Auditing one batch of pictures under all runs of a cohort: probe -> explain -> score."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from service.errors import ModelRefused, blaming
from service.spec import JobSpec
from worker.classifiers.classifier import Classifier
from worker.explaining import Seen, join, see
from worker.measures.stability import stability
from worker.probes.degradation import guided_blur
from worker.probes.geometry import transform
from worker.probes.noise import salt_pepper, salt_pepper_fields
from worker.scoring import BLURS, Columns, score_run, variant_keys


@dataclass(frozen=True)
class Batch:
    """N pictures (N, 3, H, W), the digests of their files, their class numbers (N,), -1 for none."""

    images: Tensor
    digests: Sequence[str]
    labels: Tensor


@dataclass(frozen=True)
class Scores:
    """A batch's numbers: columns of each run, and those across the runs."""

    runs: Sequence[Columns]
    across: Columns


@dataclass(frozen=True)
class Audit:
    """The audit of the spec's cohort of that number. `on_pass` hears of forward passes, batch by batch."""

    spec: JobSpec
    cohort: int
    classifiers: Sequence[Classifier]
    on_pass: Callable[[int], None]

    @torch.no_grad()
    def score(self, batch: Batch) -> Scores:
        """All the spec's measures of a batch. Raises ModelRefused where a model gives no numbers."""
        probes = self._probe(batch.images, batch.digests)
        found = []
        for run, classifier in enumerate(self.classifiers):
            with blaming(f"cohorts[{self.cohort}].runs[{run}].uri"):
                found.append(self._score_run(classifier, batch, probes))
        across: Columns = {}
        if "stability" in self.spec.measures:
            native, maps = (torch.stack(each) for each in zip(*((c.native, c.maps) for _, c in found), strict=True))
            across = stability(native, maps)
        return Scores([columns for columns, _ in found], across)

    def _probe(self, images: Tensor, digests: Sequence[str]) -> dict[str, Tensor]:
        """The variants that are the same for all runs, (V, N, 3, H, W) a measure."""
        probes, options = {}, self.spec.options
        if "noise" in self.spec.measures:
            size = (images.shape[2], images.shape[3])
            fields = torch.stack([salt_pepper_fields(self.spec.seed, digest, size) for digest in digests]).to(
                images.device
            )
            probes["noise"] = salt_pepper(images, fields, options.noise.amounts)
        if "geometry" in self.spec.measures:
            probes["geometry"] = torch.stack([transform(images, name) for name in options.geometry.transforms])
        return probes

    def _score_run(self, classifier: Classifier, batch: Batch, shared: dict[str, Tensor]) -> tuple[Columns, Seen]:
        clean = self._see(classifier, batch.images, self._targets(batch))
        probes = dict(shared)
        if "degradation" in self.spec.measures:
            guides = {"background": clean.maps, "object": 1 - clean.maps}
            probes["degradation"] = torch.stack([guided_blur(batch.images, guides[key]) for key in BLURS])
        targets = None if self.spec.salience.target == "predicted" else clean.targets
        seen = {
            measure: self._see_variants(classifier, keys, probes[measure], targets)
            for measure, keys in variant_keys(self.spec).items()
        }
        return score_run(self.spec, clean, batch.labels, seen), clean

    def _see_variants(
        self, classifier: Classifier, keys: Sequence[str], images: Tensor, targets: Tensor | None
    ) -> dict[str, Seen]:
        """What the model sees in (V, N, 3, H, W); the variants of a batch go through the model together."""
        variants, count = images.shape[:2]
        repeated = None if targets is None else targets.repeat(variants)
        seen = self._see(classifier, images.flatten(0, 1), repeated)
        return {key: seen.take(n * count, (n + 1) * count) for n, key in enumerate(keys)}

    def _see(self, classifier: Classifier, images: Tensor, targets: Tensor | None) -> Seen:
        parts = []
        for part in see(classifier, images, targets, self.spec.salience.method):
            self.on_pass(len(part.native))
            parts.append(part)
        seen = join(parts)
        if not seen.probabilities.isfinite().all():
            raise ModelRefused(reason="the model's outputs are not finite numbers; its training may have diverged")
        return seen

    def _targets(self, batch: Batch) -> Tensor | None:
        """The clean pictures' target classes; None for the predicted ones."""
        target = self.spec.salience.target
        if target in ("predicted", "clean"):
            return None
        return batch.labels if target == "label" else torch.full_like(batch.labels, int(target))
