"""Auditing one batch of pictures under all runs of a cohort: probe -> explain -> score."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from service.errors import ModelRefused
from service.spec.model import JobSpec
from worker.audit.batch import ImageBatch
from worker.audit.explanation import ChooseTargets, Explanation, concatenate, explain
from worker.audit.scoring import Columns, first_keys, guided_keys, randomised_keys, score_run
from worker.measures.stability import stability
from worker.models.classifier import Classifier, predicted
from worker.probes.degradation import blur_ranked, guided_blur, rank
from worker.probes.geometry import transform
from worker.probes.noise import gaussian, salt_pepper
from worker.probes.random_fields import field


@dataclass(frozen=True)
class Missing:
    """What is wanted of pictures: the numbers of some runs, and of all of them those across or the clean maps."""

    runs: frozenset[int]
    across: bool
    class_maps: bool = False

    def __bool__(self) -> bool:
        return bool(self.runs) or self.needs_clean_pass

    @property
    def needs_clean_pass(self) -> bool:
        """Whether each run has to see the clean picture, whatever is known of its numbers."""
        return self.across or self.class_maps


@dataclass(frozen=True)
class Scores:
    """A batch's numbers: columns of each run, and those across the runs; and maps (N, H, W), each by run."""

    runs: Mapping[int, Columns]
    across: Columns
    maps: Sequence[Tensor]


# What a run sees of a batch: the clean pictures, and by measure and key their variants.
Explanations = tuple[Explanation, Mapping[str, Mapping[str, Explanation]]]


@dataclass(frozen=True)
class Audit:
    """The audit of the spec's cohort of that number. `on_pass` hears of forward passes, chunk by chunk.

    `randomised` has, where the spec asks for it, each classifier with shares of its layers drawn anew.
    """

    spec: JobSpec
    cohort: int
    classifiers: Sequence[Classifier]
    on_pass: Callable[[int], None]
    randomised: Sequence[Sequence[Classifier]] = ()

    @torch.no_grad()
    def score(self, batch: ImageBatch, wanted: Missing | None = None) -> Scores:
        """All the spec's measures of a batch, or those wanted. Raises ModelRefused where a model gives no numbers.

        What is across the runs needs the clean maps of all of them.
        """
        every = range(len(self.classifiers))
        wanted = wanted or Missing(frozenset(every), "stability" in self.spec.measures)
        looked = {run: run in wanted.runs for run in every if wanted.needs_clean_pass or run in wanted.runs}
        columns, clean = dict[int, Columns](), []
        for run, variant_of in zip(looked, self._explain_batch(batch, looked), strict=True):
            clean.append(variant_of[0])
            if run in wanted.runs:
                columns[run] = score_run(self.spec, clean[-1], batch, variant_of[1])
        across: Columns = {}
        if wanted.across:
            names = ("native", "maps", "degenerate")
            across = stability(*(torch.stack([getattr(each, name) for each in clean]) for name in names))
        return Scores(columns, across, [each.maps for each in clean])

    @torch.no_grad()
    def explain(self, batch: ImageBatch) -> Iterator[Explanations]:
        """What each run sees of a batch and of all its variants. Raises ModelRefused as `score` does."""
        return self._explain_batch(batch, dict.fromkeys(range(len(self.classifiers)), True))

    def _explain_batch(self, batch: ImageBatch, runs: Mapping[int, bool]) -> Iterator[Explanations]:
        """What some runs see of a batch, in its variants too where the run's say so."""
        variants = self._first_variants(batch) if any(runs.values()) else []
        seen = [self._explain_image(batch, n, [each[n] for each in variants], runs) for n in range(len(batch.images))]
        by_run = zip(runs.values(), zip(*seen, strict=True), strict=True)
        return (self._by_variant(images, whole) for whole, images in by_run)

    def _first_variants(self, batch: ImageBatch) -> list[Tensor]:
        """The variants that wait for no map, each (N, 3, H, W), in the order of their keys."""
        variants, options = [], self.spec.options
        if "noise" in self.spec.measures:
            add = salt_pepper if options.noise.kind == "salt_pepper" else gaussian
            fields = self._fields(options.noise.kind, batch)
            variants += add(batch.images, fields, options.noise.levels)
        if "geometry" in self.spec.measures:
            variants += [transform(batch.images, name) for name in options.geometry.transforms]
        return variants

    def _fields(self, stream: str, batch: ImageBatch) -> Tensor:
        """Each picture's own random numbers."""
        size = (batch.images.shape[2], batch.images.shape[3])
        found = [field(stream, self.spec.seed, digest, size) for digest in batch.digests]
        return torch.stack(found).to(batch.images.device)

    def _explain_image(
        self, batch: ImageBatch, number: int, variants: Sequence[Tensor], runs: Mapping[int, bool]
    ) -> list[Explanation]:
        """What some runs see in one picture, the clean picture first; in its variants too, where the run's say so."""
        choose, image = self._target_chooser(int(batch.labels[number])), batch.images[number]
        images = {run: [image, *variants] if wanted else [image] for run, wanted in runs.items()}
        first = {
            run: self._explain_chunk(run, some[: self.classifiers[run].chunk], choose) for run, some in images.items()
        }
        whole = [run for run, wanted in runs.items() if wanted]
        guided = self._guided_variants(batch, number, [first[run].slice(0, 1) for run in whole])
        own = dict(zip(whole, guided, strict=True))
        return [
            self._explain_remaining(run, each, [*images[run], *own[run]], choose) if run in own else each
            for run, each in first.items()
        ]

    def _explain_remaining(
        self, run: int, first: Explanation, images: Sequence[Tensor], choose: ChooseTargets
    ) -> Explanation:
        if self.spec.salience.target == "clean":
            choose = _fixed_targets(int(first.targets[0]))
        parts, chunk = [first], self.classifiers[run].chunk
        for start in range(len(first.targets), len(images), chunk):
            parts.append(self._explain_chunk(run, images[start : start + chunk], choose))
        return concatenate([*parts, *self._explain_randomised(run, images[0], first)])

    def _explain_randomised(self, run: int, image: Tensor, clean: Explanation) -> Iterator[Explanation]:
        """The clean picture by the model with layers drawn anew; the class explained is the intact model's."""
        for classifier in self.randomised[run] if self.randomised else ():
            yield explain(classifier, [image], _fixed_targets(int(clean.targets[0])), self.spec)
            self.on_pass(1)

    def _guided_variants(self, batch: ImageBatch, number: int, clean: Sequence[Explanation]) -> list[list[Tensor]]:
        """The variants guided by each run's map of the clean picture; it is filtered once for all of them."""
        if "degradation" not in self.spec.measures or not clean:
            return [[] for _ in clean]
        image, maps = batch.images[number], torch.cat([seen.maps for seen in clean])
        guides = torch.stack([maps, 1 - maps], dim=1)
        curve = self.spec.options.degradation.curve
        nothing = torch.zeros_like(maps[:1]) if curve else maps[:0]
        blurred = guided_blur(image, torch.cat([guides.flatten(0, 1), nothing]))
        found = [list(blurred[2 * run : 2 * run + 2]) for run in range(len(maps))]
        if curve:
            ties = self._fields("ties", batch)[number]
            for own, map_ in zip(found, maps, strict=True):
                for most in (True, False):
                    ranked = rank(map_, ties, most)
                    own += [blur_ranked(image, blurred[-1], ranked, share) for share in curve]
        return found

    def _by_variant(self, images: Sequence[Explanation], whole: bool) -> Explanations:
        """From pictures with their variants to variants with their pictures: the clean ones, and others by measure."""
        columns = [torch.stack(column, dim=1) for column in zip(*(seen.columns() for seen in images), strict=True)]
        variants = (Explanation(*each) for each in zip(*(column.unbind() for column in columns), strict=True))
        clean = next(variants)
        keys = (first_keys(self.spec) | guided_keys(self.spec) | randomised_keys(self.spec)) if whole else {}
        return clean, {measure: {key: next(variants) for key in names} for measure, names in keys.items()}

    def _explain_chunk(self, run: int, images: Sequence[Tensor], choose: ChooseTargets) -> Explanation:
        seen = explain(self.classifiers[run], images, choose, self.spec)
        self.on_pass(len(images))
        if not seen.probabilities.isfinite().all():
            raise ModelRefused(
                field=f"cohorts[{self.cohort}].runs[{run}].uri",
                reason="the model's outputs are not finite numbers; its training may have diverged",
            )
        return seen

    def _target_chooser(self, label: int) -> ChooseTargets:
        """Which classes of a picture's first chunk are explained; there the clean picture comes first."""
        target = self.spec.salience.target
        if target == "predicted":
            return predicted
        if target == "clean":
            return lambda logits: predicted(logits[:1]).expand(len(logits))
        return _fixed_targets(label if target == "label" else int(target))


def _fixed_targets(target: int) -> ChooseTargets:
    return lambda logits: torch.full_like(predicted(logits), target)
