"""Audits one batch of images under all runs of a cohort: probe -> explain -> score."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from service.errors import ModelRefused
from service.spec.model import JobSpec
from worker.audit.batch import ImageBatch
from worker.audit.explanation import ChooseTargets, explain
from worker.audit.scoring import Guided, Probed, has_across_runs, requested_scorers, score_across, score_run
from worker.measures.columns import Columns
from worker.measures.explanation import Explanation, concatenate
from worker.models.classifier import Classifier, predicted
from worker.probes.random_fields import field


@dataclass(frozen=True)
class Missing:
    """What to compute for some images beyond the numbers that are cached.

    `runs` are the runs whose own numbers are missing. With `across`, the numbers that compare the runs are missing too.
    With `class_maps`, the mean maps of classes need the clean maps.
    """

    runs: frozenset[int]
    across: bool
    class_maps: bool = False

    def __bool__(self) -> bool:
        return bool(self.runs) or self.needs_clean_pass

    @property
    def needs_clean_pass(self) -> bool:
        """Whether every run has to explain the clean images, even a run whose numbers are cached."""
        return self.across or self.class_maps


@dataclass(frozen=True)
class Scores:
    """The numbers of a batch of images, and the explanation of the clean images by each run.

    `runs` has the columns of each run, `across` the columns that compare the runs. The columns of `chance` are left
    out, since they need the maps of other images.
    """

    runs: Mapping[int, Columns]
    across: Columns
    clean: Mapping[int, Explanation]


# The explanation of the clean images, and the explanations of their variants by measure and key.
Explanations = tuple[Explanation, Mapping[str, Mapping[str, Explanation]]]
VariantKey = tuple[str, str]  # measure and key
CLEAN: VariantKey = ("", "clean")


@dataclass(frozen=True)
class KeyedExplanation:
    """The explanations of one image and its variants, one row each, and the keys of the rows in the same order."""

    keys: Sequence[VariantKey]
    rows: Explanation


@dataclass(frozen=True)
class Audit:
    """Audits one cohort of a spec. `on_pass` receives the number of images of each forward pass.

    `cohort` is the cohort's position in the spec. `randomised` has each run's randomised models, by the share of their
    layers that is randomised; it is empty if no measure needs them.
    """

    spec: JobSpec
    cohort: int
    classifiers: Sequence[Classifier]
    on_pass: Callable[[int], None]
    randomised: Sequence[Mapping[str, Classifier]] = ()

    @torch.no_grad()
    def score(self, batch: ImageBatch, wanted: Missing | None = None) -> Scores:
        """Return the numbers of a batch: those of all measures of the spec, or only those `wanted`.

        Numbers across runs need the clean maps of all runs. Raises ModelRefused if a model's outputs are not finite.
        """
        every = range(len(self.classifiers))
        wanted = wanted or Missing(frozenset(every), has_across_runs(self.spec))
        with_variants = {run: run in wanted.runs for run in every if wanted.needs_clean_pass or run in wanted.runs}
        columns, clean = dict[int, Columns](), dict[int, Explanation]()
        for run, variant_of in zip(with_variants, self._explain_batch(batch, with_variants), strict=True):
            clean[run] = variant_of[0]
            if run in wanted.runs:
                columns[run] = score_run(self.spec, clean[run], batch, variant_of[1])
        across = score_across(self.spec, list(clean.values())) if wanted.across else {}
        return Scores(columns, across, clean)

    @torch.no_grad()
    def explain_clean(self, run: int, image: Tensor, label: int) -> Explanation:
        """Return one run's explanation of one clean image (3, H, W), without its variants.

        The explanation has the same bits as the one that `score` computes together with the variants. `label` is the
        image's class number. Raises ModelRefused as `score` does.
        """
        return self._explain_chunk(run, [image], self._target_chooser(label))

    @torch.no_grad()
    def explain(self, batch: ImageBatch) -> Iterator[Explanations]:
        """Yield each run's explanations of a batch and of all its variants. Raises ModelRefused as `score` does."""
        return self._explain_batch(batch, dict.fromkeys(range(len(self.classifiers)), True))

    def _explain_batch(self, batch: ImageBatch, runs: Mapping[int, bool]) -> Iterator[Explanations]:
        """Yield each run's explanations of a batch, with those of its variants if `runs` maps the run to True."""
        variants = self._independent_variants(batch) if any(runs.values()) else {}
        seen = [
            self._explain_image(batch, number, {key: each[number] for key, each in variants.items()}, runs)
            for number in range(len(batch.images))
        ]
        return (_by_variant([image[run] for image in seen]) for run in runs)

    def _independent_variants(self, batch: ImageBatch) -> dict[VariantKey, Tensor]:
        """Return the variants that do not depend on a map, each (N, 3, H, W), by measure and key."""
        probed = Probed(batch.images, lambda stream: self._fields(stream, batch))
        return {
            (measure, key): images
            for measure, scorer in requested_scorers(self.spec).items()
            if scorer.variants
            for key, images in scorer.variants(probed, self.spec.options_of(measure)).items()
        }

    def _fields(self, stream: str, batch: ImageBatch) -> Tensor:
        """Return the random fields of all images of a batch, stacked along the first dimension."""
        return torch.stack([self._field(stream, batch, number) for number in range(len(batch.images))])

    def _field(self, stream: str, batch: ImageBatch, number: int) -> Tensor:
        """Return the random field of one image, which depends on the image's content and the job's seed alone."""
        size = (batch.images.shape[2], batch.images.shape[3])
        return field(stream, self.spec.seed, batch.digests[number], size).to(batch.images.device)

    def _explain_image(
        self, batch: ImageBatch, number: int, variants: Mapping[VariantKey, Tensor], runs: Mapping[int, bool]
    ) -> dict[int, KeyedExplanation]:
        """Return each run's explanations of one image, with those of its variants if `runs` maps the run to True.

        The first chunk starts with the clean image, whose map guides further variants.
        """
        choose, clean = self._target_chooser(int(batch.labels[number])), {CLEAN: batch.images[number]}
        images = {run: {**clean, **variants} if whole else clean for run, whole in runs.items()}
        first = {
            run: self._explain_chunk(run, list(some.values())[: self.classifiers[run].chunk], choose, check=runs[run])
            for run, some in images.items()
        }
        maps = {run: first[run].maps[:1] for run, whole in runs.items() if whole}
        guided = self._guided_variants(batch, number, maps)
        return {
            run: self._explain_remaining(run, first[run], {**own, **guided[run]}, choose)
            if run in guided
            else KeyedExplanation(list(own), first[run])
            for run, own in images.items()
        }

    def _explain_remaining(
        self, run: int, first: Explanation, images: Mapping[VariantKey, Tensor], choose: ChooseTargets
    ) -> KeyedExplanation:
        """Explain the images after the first chunk, and the clean image under the run's randomised models.

        Returns the first chunk's explanations followed by these.
        """
        if self.spec.salience.target == "clean":
            choose = _fixed_targets(int(first.targets[0]))
        parts, chunk, every = [first], self.classifiers[run].chunk, list(images.values())
        for start in range(len(first.targets), len(every), chunk):
            parts.append(self._explain_chunk(run, every[start : start + chunk], choose))
        randomised = self._explain_randomised(run, images[CLEAN], first)
        return KeyedExplanation([*images, *randomised], concatenate([*parts, *randomised.values()]))

    def _explain_randomised(self, run: int, image: Tensor, clean: Explanation) -> dict[VariantKey, Explanation]:
        """Explain the clean image under each randomised model, for the class that the intact model explains."""
        found = {}
        for measure in self.spec.requested_measures():
            for key in self.spec.variants_of(measure) if measure.variant_kind == "randomised" else ():
                choose = _fixed_targets(int(clean.targets[0]))
                found[measure.name, key] = explain(self.randomised[run][key], [image], choose, self.spec)
                self.on_pass(1)
        return found

    def _guided_variants(
        self, batch: ImageBatch, number: int, maps: Mapping[int, Tensor]
    ) -> dict[int, dict[VariantKey, Tensor]]:
        """Return, for each run, the variants of an image that the run's clean map (1, H, W) guides."""
        found: dict[int, dict[VariantKey, Tensor]] = {run: {} for run in maps}
        scorers = requested_scorers(self.spec) if maps else {}
        for measure, scorer in scorers.items():
            if scorer.guided:
                guided = Guided(
                    batch.images[number], torch.cat(list(maps.values())), lambda s: self._field(s, batch, number)
                )
                by_run = scorer.guided(guided, self.spec.options_of(measure))
                for run, own in zip(maps, by_run, strict=True):
                    found[run] |= {(measure, key): image for key, image in own.items()}
        return found

    def _explain_chunk(
        self, run: int, images: Sequence[Tensor], choose: ChooseTargets, *, check: bool = False
    ) -> Explanation:
        seen = explain(self.classifiers[run], images, choose, self.spec, check=check)
        self.on_pass(len(images))
        if not seen.probabilities.isfinite().all():
            raise ModelRefused(
                field=f"cohorts[{self.cohort}].runs[{run}].uri",
                reason="the model's outputs are not finite numbers; its training may have diverged",
            )
        return seen

    def _target_chooser(self, label: int) -> ChooseTargets:
        """Return the function that chooses the classes to explain in an image's first chunk.

        The chunk starts with the clean image.
        """
        target = self.spec.salience.target
        if target == "predicted":
            return predicted
        if target == "clean":
            return lambda logits: predicted(logits[:1]).expand(len(logits))
        return _fixed_targets(label if target == "label" else int(target))


def _by_variant(images: Sequence[KeyedExplanation]) -> Explanations:
    """Regroup explanations: from one per image, with its variants, to one per variant, with all images."""
    columns = [torch.stack(column, dim=1) for column in zip(*(each.rows.columns() for each in images), strict=True)]
    rows = (Explanation(*each) for each in zip(*(column.unbind() for column in columns), strict=True))
    by_key = dict(zip(images[0].keys, rows, strict=True))
    variants: dict[str, dict[str, Explanation]] = {}
    for (measure, key), seen in by_key.items():
        variants.setdefault(measure, {})[key] = seen
    return by_key[CLEAN], {measure: own for measure, own in variants.items() if measure != CLEAN[0]}


def _fixed_targets(target: int) -> ChooseTargets:
    return lambda logits: torch.full_like(predicted(logits), target)
