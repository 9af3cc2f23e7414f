"""The spec of a job with all defaults. Its shape is part of the API.

Each class validates its own fields; service.jobs.validation validates conditions that concern several classes.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, JsonValue, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from service.gate.rules import Gate
from service.gate.rules import Text as Name
from service.measures import MEASURES
from service.measures.measure import Measure, VariantKind
from service.measures.methods import METHODS, SalienceMethod
from service.measures.options import Options
from service.measures.strict_model import StrictModel
from service.spec.cohort import Cohort
from service.spec.images import AuditedImages, Images
from service.spec.soundness import SoundnessChecks


def _no_colons(labels: object) -> object:
    """Refuse keys with a colon. The pattern of the keys refuses them too, but without a reason and a remedy."""
    for key in labels if isinstance(labels, dict) else ():
        if isinstance(key, str) and ":" in key:
            raise PydanticCustomError(
                "label_key",
                "{key} has a colon, which separates key and value in filters; use another character",
                {"key": repr(key)},
            )
    return labels


LabelKey = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f:]*$")]
Method = Literal[
    "gradcam", "diffgradcam", "cam", "gradcam++", "hirescam", "layercam", "eigencam", "saliency",
    "integrated_gradients", "rise",
]  # fmt: skip
# Names of the methods in generated clients, which would give `gradcam` and `gradcam++` the same name.
VARIABLES: list[JsonValue] = [name.replace("+", "p") for name in get_args(Method)]
Precision = Literal["float32", "tf32", "bfloat16", "float16"]
Priority = Literal["interactive", "bulk"]
Stop = Literal["when-decided"]

if TYPE_CHECKING:
    MeasureName = str
else:
    MeasureName = Literal[tuple(MEASURES)]

DEFAULT_MEASURES = [name for name, measure in MEASURES.items() if measure.is_default]


def _describe(entries: Mapping[str, Measure] | Mapping[str, SalienceMethod]) -> str:
    """Return all entries in one text, for the description of a field."""
    return "\n\n".join(f"`{name}`: {entry.meaning} ({entry.source})" for name, entry in entries.items())


class Salience(StrictModel):
    """How salience maps are computed."""

    method: Annotated[
        Method,
        Field(
            description=f"The salience method.\n\n{_describe(METHODS)}",
            json_schema_extra={"x-enum-varnames": VARIABLES},
        ),
    ] = "gradcam"
    target: Literal["predicted", "clean", "label"] | Annotated[int, Field(ge=0)] = "predicted"
    """Class whose logit is explained: `predicted` for the class predicted for each input, also for changed images,
    `clean` for the class predicted for the unchanged image, `label` for the image's label, or the index of a class."""


class Maps(StrictModel):
    """Which maps are stored for viewing: those of the most informative images, all, or none."""

    keep: Literal["all"] | Annotated[int, Field(ge=0, le=1000)] = 64
    """Number of images whose maps are stored for the report, `all`, or 0 for none."""


MEASURES_HELP = (
    "The measures to compute. Default: the first five, without `stability` where a cohort has one run.\n\n"
    + _describe(MEASURES)
)
Measures = Annotated[list[MeasureName], Field(min_length=1, description=MEASURES_HELP)]


class Baseline(StrictModel):
    """A cohort of an earlier job, to compare with. It is not audited again.

    It must have the same images, measures and options; otherwise rules of the gate that name it are errors.
    """

    job: Annotated[str, StringConstraints(min_length=1, max_length=36, pattern=r"^[^\x00-\x1f]*$")]
    """ID of the earlier job."""
    cohort: Annotated[Name | None, Field(description="Name of the cohort. Default: the job's only cohort.")] = None
    name: Annotated[Name, Field(description="Name of the baseline in rules and differences.")] = "baseline"


class Template(StrictModel):
    """The fields of a spec that do not concern models."""

    name: Name | None = None
    """Name of the job, shown in lists and pages."""
    labels: Annotated[dict[LabelKey, Name], Field(max_length=50), BeforeValidator(_no_colons)] = {}  # noqa: RUF012  # pydantic copies it
    """Labels by which jobs can be filtered. A key has no colon."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Seed of everything random: noise, samples, intervals."""
    images: AuditedImages
    """The images to audit."""
    out_of_set: Annotated[
        Images | None,
        Field(description="Images that the models were not trained for. The results compare them with `images`."),
    ] = None
    salience: Salience = Salience()
    """How the maps are computed."""
    measures: Measures = list(DEFAULT_MEASURES)  # noqa: RUF012  # as above
    options: Options = Options()
    """Options of the measures and methods."""
    maps: Maps = Maps()
    """Which maps the job stores for viewing."""
    precision: Precision = "float32"
    """Number format of the forward passes. On a CPU `tf32` is `float32`."""
    shard_size: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Images per shard; no number depends on it. Default: 32, fewer for a small image set."""
    soundness: SoundnessChecks = SoundnessChecks()
    """Soundness checks in addition to those that every job makes."""
    priority: Annotated[
        Priority, Field(description="Workers take shards of `interactive` jobs before all `bulk` work.")
    ] = "bulk"
    deadline: Annotated[
        float | None,
        Field(gt=0, le=31_536_000, description="Seconds after its acceptance at which the job fails. Default: none."),
    ] = None
    stop: Annotated[
        Stop | None,
        Field(description="`when-decided` ends the job as soon as its gate is decided. Default: audit all images."),
    ] = None
    reuse: Annotated[
        bool,
        Field(description="Whether to reuse values that an earlier job computed. The results stay the same."),
    ] = True


class JobSpec(Template):
    """A job's spec: what to audit and how. Omitted fields have their default values."""

    cohorts: Annotated[list[Cohort], Field(min_length=1, max_length=20)]
    """The models to audit, in groups that are compared with each other."""
    baseline: Baseline | None = None
    """A cohort of an earlier job to compare with."""
    gate: Annotated[Gate | None, Field(description="Rules that the results must satisfy, or the name of a policy.")] = (
        None
    )

    @model_validator(mode="before")
    @classmethod
    def _default_measures(cls, data: object) -> object:
        """Leave out the measures across runs by default where a cohort has one run."""
        if isinstance(data, dict) and "measures" not in data and _has_single_run(data.get("cohorts")):
            return {**data, "measures": [name for name in DEFAULT_MEASURES if not MEASURES[name].across_runs]}
        return data

    def uris(self) -> Iterator[tuple[str, str]]:
        """Yield the field and the URI of each image set and model."""
        yield "images.uri", self.images.uri
        if self.out_of_set:
            yield "out_of_set.uri", self.out_of_set.uri
        for number, cohort in enumerate(self.cohorts):
            for index, run in enumerate(cohort.runs):
                yield f"cohorts[{number}].runs[{index}].uri", run.uri

    def for_out_of_set(self) -> "JobSpec":
        """Return the spec for the out-of-set images: only the measures that are compared, and no target `label`."""
        target = "predicted" if self.salience.target == "label" else self.salience.target
        salience = self.salience.model_copy(update={"target": target})
        measures = [name for name, measure in MEASURES.items() if measure.is_compared_out_of_set]
        return self.model_copy(update={"measures": measures, "salience": salience})

    def requested_measures(self) -> list[Measure]:
        """Return the measures to compute, in the order of the registry."""
        return [measure for name, measure in MEASURES.items() if name in self.measures]

    def options_of(self, name: str) -> Any:
        """Return the options of a measure or a method, None where it has no options."""
        return getattr(self.options, name, None)

    def variants_of(self, measure: Measure) -> list[str]:
        """Return the keys of a measure's variants."""
        return list(measure.variants(self.options_of(measure.name)))

    def needs_human_maps(self) -> bool:
        """Return whether every image needs a human salience map."""
        return any(measure.needs_human_maps for measure in self.requested_measures())

    def passes(self) -> int:
        """Return how many forward passes one run needs for one image."""
        return self.first_passes() + self.guided_passes() + len(self.randomised_shares())

    def first_passes(self) -> int:
        """Return how many passes one image needs before its map exists: one clean, and one per independent variant."""
        return 1 + self._variant_count("independent")

    def guided_passes(self) -> int:
        """Return how many passes see images that the clean image's map has changed."""
        return self._variant_count("guided")

    def _variant_count(self, kind: VariantKind) -> int:
        return sum(len(self.variants_of(each)) for each in self.requested_measures() if each.variant_kind == kind)

    def randomised_shares(self) -> list[float]:
        """Return the share of layers to randomise for each randomised model, which the clean image passes once."""
        kinds = (each for each in self.requested_measures() if each.variant_kind == "randomised")
        return [float(key) for each in kinds for key in self.variants_of(each)]


def spec_digest(spec: JobSpec) -> str:
    """Return the SHA-256 of all fields that differ from their defaults.

    A spec that writes a default out has the same digest as one that omits it. A field that a later version adds does
    not change the digest, so that an Idempotency-Key sent to both versions belongs to one job.
    """
    document = spec.model_dump(mode="json", exclude_defaults=True)
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _has_single_run(cohorts: object) -> bool:
    """Return whether a cohort of an unvalidated spec has one run. Validation refuses malformed cohorts later."""
    if not isinstance(cohorts, list | tuple):
        return False
    runs = [cohort.get("runs") if isinstance(cohort, dict) else None for cohort in cohorts]
    return any(isinstance(each, list | tuple) and len(each) == 1 for each in runs)


Json = dict[str, Any]
