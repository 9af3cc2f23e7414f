"""Plans a job: lists its images, loads every model once, and cuts the images into shards.

The planner reports every error that can be found before the first forward pass of the audit.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice

import numpy as np
from torch import Tensor

from service.domain.job import Image
from service.domain.work import Plan
from service.errors import ImagesRefused, ModelRefused, naming_field
from service.inputs.image_sets.listing import ImageEntry
from service.jobs.validation.fields import preprocessing_problems
from service.spec.cohort import Activation, Cohort
from service.spec.images import Images
from service.spec.model import JobSpec, Json
from service.spec.resolution import resolve_preprocessing, with_preprocessing
from service.telemetry.redaction import redact
from worker.audit.scoring import MAX_CLASS_PROBABILITIES, column_names, column_names_across
from worker.inputs.image_bytes import image_opener
from worker.inputs.resolver import InputResolver
from worker.models.cache import LoadedModel, ModelCache, naming_run
from worker.models.classifier import Classifier
from worker.models.config_files import ModelMetadata
from worker.planning.class_labels import ClassLabels, attack_class, class_numbers
from worker.planning.determinism_check import check_determinism
from worker.planning.method_check import check_agreement, check_method, map_size
from worker.planning.output_check import read_first, resolve_activation
from worker.planning.seeded_order import SeededOrder, seeded_order
from worker.planning.slices import Slices, ranges
from worker.planning.survey import MAX_IMAGES, Survey
from worker.planning.weights_check import IMAGES as WEIGHTS_IMAGES
from worker.planning.weights_check import compare_with_random_head
from worker.salience.cam import NEEDS_LAYER

SHARD_SIZE = 32
MIN_SHARDS = 8  # a small image set is cut into this many shards, so that several processes can share it


@dataclass(frozen=True)
class Planner:
    """Plans jobs with the images and models that `inputs` resolves. `check` raises LeaseLost once the lease is lost."""

    models: ModelCache
    inputs: InputResolver
    check: Callable[[], None]
    max_images: int = MAX_IMAGES

    def plan(self, spec: JobSpec, store: Callable[[Sequence[Image]], None]) -> Plan:
        """Return a job's plan: its slices, its number of passes, and facts about its images and models.

        `store` receives the images, page by page. Raises InputRefused.
        """
        spec, metadata = self._resolve_preprocessing(spec)
        with naming_field("images.uri"):
            groups: dict[str, set[str]] = {name: set() for name in spec.images.groups}
            survey = Survey(groups, needs_human=spec.needs_human_maps(), most=self.max_images)
            order = self._survey(spec, spec.images, store, survey)
            survey.check_groups()
        with naming_field("out_of_set.uri"):
            outside = Survey(start=survey.count, most=self.max_images)
            outside_order = self._survey(spec, spec.out_of_set, store, outside)
        cohorts = [self._cohort(spec, number, survey, own) for number, own in enumerate(metadata)]
        sizes = [spec.shard_size or min(SHARD_SIZE, max(1, -(-each.count // MIN_SHARDS))) for each in (survey, outside)]
        seed = None if spec.stop else spec.seed
        parts = [ranges(each, size, seed) for each, size in zip((survey, outside), sizes, strict=True)]
        classes = [each["class_count"] for each in cohorts]
        facts = {
            "columns": _columns(spec, classes),
            "out_of_set": {"start": outside.start, "columns": _columns(spec.for_out_of_set(), classes)}
            if spec.out_of_set
            else None,
            "cohorts": cohorts,
            "shard_size": sizes[0],
        }
        passes = survey.count * spec.passes() + order.partners_elsewhere(sizes[0])
        passes += outside.count * spec.for_out_of_set().passes() + outside_order.partners_elsewhere(sizes[1])
        runs = sum(len(cohort.runs) for cohort in spec.cohorts)
        return Plan(outside.stop, Slices(np.concatenate(parts), len(cohorts)), runs * passes, facts)

    def _survey(
        self, spec: JobSpec, images: Images | None, store: Callable[[Sequence[Image]], None], survey: Survey
    ) -> SeededOrder:
        """Number the images of a set and pass them to `store`, page by page; do nothing without a set.

        If the spec has a `limit`, these are only the first `limit` images of the seeded order. The numbers follow the
        labels, and the seeded order within each label. In a job that may stop early they follow the seeded order alone,
        so that the images audited first are a random sample.
        """
        source = self.inputs.resolve(images.uri) if images else ""

        def listed() -> Iterator[ImageEntry]:
            return survey.recording(self.inputs.list_images(source, list(survey.groups))) if images else iter(())

        limit = images.limit if images else None
        few = listed() if limit else islice(listed(), self.max_images + 1)  # `survey.pages` refuses more
        order = seeded_order(few, spec.seed, limit, by_label=not spec.stop)
        for page in survey.pages(listed(), order.places):
            self.check()
            self.inputs.check_artifacts(each for image in page for each in (image.path, image.human) if each)
            store(page)
        return order

    def _resolve_preprocessing(self, spec: JobSpec) -> tuple[JobSpec, list[ModelMetadata]]:
        """Return the spec with preprocessing filled in from the models' metadata, and the metadata of each cohort."""
        metadata = [self._model_metadata(spec, number) for number in range(len(spec.cohorts))]
        filled = []
        for number, (cohort, own) in enumerate(zip(spec.cohorts, metadata, strict=True)):
            with naming_field(f"cohorts[{number}].model.preprocessing"):
                filled.append(resolve_preprocessing(cohort.model.preprocessing, own.preprocessing))
        resolved = with_preprocessing(spec, filled)
        for problem in preprocessing_problems(resolved):
            raise ModelRefused(field=problem.field, reason=problem.detail)
        return resolved, metadata

    def _model_metadata(self, spec: JobSpec, number: int) -> ModelMetadata:
        """Return the metadata of a cohort's models. Raises ModelRefused unless all models have the same metadata."""
        found: list[ModelMetadata] = []
        for index, run in enumerate(spec.cohorts[number].runs):
            self.check()
            with naming_run(number, index), self.inputs.model(self.inputs.resolve(run.uri)) as path:
                found.append(self.models.sandbox.read_metadata(path, spec.cohorts[number].model))
                if found[-1] != found[0]:
                    raise ModelRefused(
                        reason=f"{path} declares other preprocessing or other classes than its cohort's first run; "
                        "move it to a separate cohort"
                    )
        return found[0]

    def _cohort(self, spec: JobSpec, number: int, survey: Survey, own: ModelMetadata) -> Json:
        cohort = spec.cohorts[number]
        images = read_first(survey.first, image_opener(self.inputs), cohort.model.preprocessing)
        loaded = [self._run(spec, number, index, images) for index in range(len(cohort.runs))]
        first = loaded[0].model.classifier
        checked = []
        for index, run in enumerate(loaded):
            with naming_run(number, index):
                checked.append((run, _check_run(run, first, images, spec, cohort)))
        _check_target(spec.salience.target, first.head.classes, survey)
        classes, attack = self._classes(cohort, number, first.head.classes, survey, own)
        return {
            "preprocessing": cohort.model.preprocessing.model_dump(mode="json"),
            "layer": first.layer.name if first.layer and spec.salience.method in NEEDS_LAYER else None,
            "map_size": map_size(spec.salience.method, first),
            "classes": classes.numbers if classes else {},
            "classes_by": classes.by if classes else None,
            "class_count": first.head.classes,
            "attack_class": attack,
            "runs": [{**facts, **self._check_weights(spec, cohort, run, survey)} for run, facts in checked],
        }

    def _run(self, spec: JobSpec, number: int, index: int, images: Tensor) -> "_PlannedRun":
        """Load a run's model, and find whether it gives logits or probabilities for the images (N, 3, H, W)."""
        self.check()
        with naming_run(number, index):
            model, uri = spec.cohorts[number].model, spec.cohorts[number].runs[index].uri
            source = self.inputs.resolve(uri)
            with self.inputs.model(source) as path:
                self.models.check_loads(path, model, spec)
                loaded = self.models.load(path, model, spec)
                activation = resolve_activation(redact(source), model, loaded.classifier, images)
                if activation != model.activation:
                    loaded = self.models.load(path, model.with_activation(activation), spec)
                return _PlannedRun(uri, source, loaded, activation)

    def _check_weights(self, spec: JobSpec, cohort: Cohort, run: "_PlannedRun", survey: Survey) -> Json:
        """Return the similarities to maps under a random head, if the spec requests that check."""
        if not spec.soundness.weights:
            return {}
        images = read_first(survey.first, image_opener(self.inputs), cohort.model.preprocessing, WEIGHTS_IMAGES)
        with self.inputs.model(run.path) as path:
            model = cohort.model.with_activation(run.activation)
            return {"weights": compare_with_random_head(path, model, run.model, images, spec)}

    def _classes(
        self, cohort: Cohort, number: int, classes: int, survey: Survey, own: ModelMetadata
    ) -> tuple[ClassLabels | None, int | None]:
        """Return the class of each label, and the attack class."""
        labels = survey.labels
        model = f"cohorts[{number}].model"
        with naming_field(f"{model}.outputs", model):
            found = class_numbers(labels, cohort.model.outputs, classes, own.names) if labels else None
            return found, attack_class(cohort.model.outputs, classes, found.numbers if found else {})


@dataclass(frozen=True)
class _PlannedRun:
    """A run's URI in the spec, its resolved URI as `path`, its loaded model, and the kind of the model's outputs."""

    uri: str
    path: str
    model: LoadedModel
    activation: Activation


def _check_run(run: _PlannedRun, first: Classifier, images: Tensor, spec: JobSpec, cohort: Cohort) -> Json:
    """Return the facts about a run. Raises ModelRefused if it does not suit the method or the cohort's first run."""
    method, path, model = spec.salience.method, redact(run.path), run.model.classifier
    check_method(method, path, model)
    check_agreement(method, path, model, first)
    return {
        "uri": run.uri,
        "path": run.path,
        "sha256": run.model.sha256,
        "activation": run.activation,
        **asdict(check_determinism(path, cohort.model, model, images, spec)),
    }


def _columns(spec: JobSpec, classes: Sequence[int]) -> Json:
    """Return the names of an image's columns: `run` lists those of each run, `across` those of each cohort across runs.

    `classes` has the number of classes of each cohort's models.
    """
    across = [column_names_across(spec, len(cohort.runs)) for cohort in spec.cohorts]
    stored = [count for count in classes if count <= MAX_CLASS_PROBABILITIES]
    return {"run": column_names(spec, max(stored or classes)), "across": across}


def _check_target(target: str | int, classes: int, survey: Survey) -> None:
    with naming_field("salience.target"):
        if target == "label" and survey.unlabelled:
            raise ImagesRefused(reason="the target `label` needs a label for every image")
        if isinstance(target, int) and target >= classes:
            raise ModelRefused(reason=f"class {target} is beyond the models' {classes} classes")
