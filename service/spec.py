"""What a job is asked to do, with every default. The shape is the API's contract.

Each class checks its own fields; checks.py checks what concerns several of them.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from service import catalogue
from service.catalogue import told
from service.gate.rules import Gate
from service.gate.rules import Text as Name
from service.options import Options, Part


def _no_colons(labels: object) -> object:
    """Labels as they were given; the pattern of their keys says the same, but without reason or remedy."""
    for key in labels if isinstance(labels, dict) else ():
        if isinstance(key, str) and ":" in key:
            raise PydanticCustomError(
                "label_key",
                "{key} has a colon, which parts a label's key from its value in filters; write another letter",
                {"key": repr(key)},
            )
    return labels


LabelKey = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f:]*$")]
Measure = Literal["entropy", "noise", "geometry", "stability", "degradation", "human", "randomisation"]
Method = Literal[
    "gradcam", "cam", "gradcam++", "hirescam", "layercam", "eigencam", "saliency", "integrated_gradients", "rise"
]
# How generated clients may call the methods; by their own rules `gradcam` and `gradcam++` would be one name.
VARIABLES: list[JsonValue] = [name.replace("+", "p") for name in get_args(Method)]
Precision = Literal["float32", "tf32", "bfloat16", "float16"]
Priority = Literal["interactive", "bulk"]
Stop = Literal["when-decided"]
Size = Annotated[int, Field(ge=8, le=4096)]

MEASURES: tuple[Measure, ...] = ("entropy", "noise", "geometry", "stability", "degradation")


class ShorterSide(Part):
    """Resize so that the shorter side has this many pixels, then crop the centre to the input size."""

    shorter: Size


class Preprocessing(Part):
    """How a picture becomes the model's input. `size` is [height, width]."""

    size: tuple[Size, Size] = (224, 224)
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[Annotated[float, Field(gt=0)], ...] = (0.229, 0.224, 0.225)
    resize: Literal["squash"] | ShorterSide = "squash"
    interpolation: Literal["bilinear", "bicubic", "nearest"] = "bilinear"
    channels: Literal["rgb", "bgr", "gray"] = "rgb"
    scale: Annotated[float, Field(gt=0)] = 1.0


class Outputs(Part):
    """What a model's outputs are: which logit is which class, by label names in the logits' order or for each label its
    logit, and whether they are logits at all.

    `order` counts labels as they sort. `single` says which class a one-logit head's logit speaks for.
    `activation` says whether the outputs are `logits`, or `probabilities`, which are turned back into logits;
    under `auto` they are logits, and a model whose outputs are probabilities is refused.
    """

    names: tuple[Name, ...] | None = None
    order: tuple[Annotated[int, Field(ge=0)], ...] | None = None
    single: Literal["class-0", "class-1"] = "class-1"
    activation: Literal["auto", "logits", "probabilities"] = "auto"


def _or_defaults(outputs: Outputs | None) -> Outputs:
    """A spec may still say null, as those of earlier versions do."""
    return outputs or Outputs()


class Model(Part):
    """How a cohort's files become models."""

    format: Literal["auto", "checkpoint", "torchscript", "exported", "transformers", "onnx"] = "auto"
    architecture: Name | None = None
    num_classes: Annotated[int, Field(ge=1, le=100_000)] | None = None
    layer: Name | None = None
    preprocessing: Preprocessing = Preprocessing()
    outputs: Annotated[Outputs | None, AfterValidator(_or_defaults)] = Outputs()


class Run(Part):
    """One trained model."""

    uri: Annotated[str, StringConstraints(min_length=1, max_length=4096)]


class Cohort(Part):
    """The runs of one recipe."""

    name: Name
    model: Model = Model()
    runs: Annotated[list[Run], Field(min_length=1, max_length=100)]


class Images(Part):
    """Where the pictures are, how many of them to take, and what share may be unreadable."""

    uri: Annotated[str, StringConstraints(min_length=1, max_length=4096)]
    limit: Annotated[int, Field(ge=1)] | None = None
    max_skipped: Annotated[float, Field(ge=0, le=1)] = 0.01


class Salience(Part):
    """The map's method and the class whose logit it explains."""

    method: Annotated[
        Method, Field(description=told(catalogue.METHODS), json_schema_extra={"x-enum-varnames": VARIABLES})
    ] = "gradcam"
    target: Literal["predicted", "clean", "label"] | Annotated[int, Field(ge=0)] = "predicted"


class Maps(Part):
    """Of how many pictures maps are kept, to be looked at: those that tell most, all, or none."""

    keep: Literal["all"] | Annotated[int, Field(ge=0, le=1000)] = 64


Measures = Annotated[list[Measure], Field(min_length=1, description=told(catalogue.MEASURES))]


class Baseline(Part):
    """A cohort of an earlier job, which stands here for one more: it is compared with, and not audited again.

    It must be of the same pictures, measures and options; where it is not, a gate's rules about it are errors.
    """

    job: Annotated[str, StringConstraints(min_length=1, max_length=36, pattern=r"^[^\x00-\x1f]*$")]
    cohort: Annotated[Name | None, Field(description="may be left out where the job has one")] = None
    name: Annotated[Name, Field(description="what rules and differences call it")] = "baseline"


class Template(Part):
    """All that is asked of an audit beside its models."""

    name: Name | None = None
    labels: Annotated[dict[LabelKey, Name], Field(max_length=50), BeforeValidator(_no_colons)] = {}  # noqa: RUF012  # pydantic copies it
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    images: Images
    out_of_set: Annotated[
        Images | None, Field(description="a second image set, which the models were not made for, to compare with")
    ] = None
    salience: Salience = Salience()
    measures: Measures = list(MEASURES)  # noqa: RUF012  # as above
    options: Options = Options()
    maps: Maps = Maps()
    precision: Precision = "float32"
    shard_size: Annotated[int, Field(ge=1, le=100_000)] | None = None
    priority: Annotated[Priority, Field(description="work of interactive jobs comes before all bulk work")] = "bulk"
    deadline: Annotated[
        float | None, Field(gt=0, le=31_536_000, description="seconds from acceptance after which the job fails")
    ] = None
    stop: Annotated[
        Stop | None,
        Field(description="end the job as soon as its gate is decided, images being audited in an order of the seed's"),
    ] = None
    reuse: Annotated[
        bool, Field(description="whether numbers are read that an earlier job computed of the same; they are the same")
    ] = True


class JobSpec(Template):
    """An audit, as asked for; whatever was left out has its default."""

    cohorts: Annotated[list[Cohort], Field(min_length=1, max_length=20)]
    baseline: Baseline | None = None
    gate: Annotated[Gate | None, Field(description="what decides on the results: rules, or a policy's name")] = None

    @model_validator(mode="before")
    @classmethod
    def _default_measures(cls, data: object) -> object:
        """Unless asked for, stability is left out where a cohort has one run."""
        if isinstance(data, dict) and "measures" not in data and _has_single_run(data.get("cohorts")):
            return {**data, "measures": [name for name in MEASURES if name != "stability"]}
        return data

    def uris(self) -> Iterator[tuple[str, str]]:
        """All that it names, by field."""
        yield "images.uri", self.images.uri
        if self.out_of_set:
            yield "out_of_set.uri", self.out_of_set.uri
        for number, cohort in enumerate(self.cohorts):
            for index, run in enumerate(cohort.runs):
                yield f"cohorts[{number}].runs[{index}].uri", run.uri

    def outside(self) -> "JobSpec":
        """What is asked of the second image set: entropies of the clean maps. It has no labels to explain."""
        target = "predicted" if self.salience.target == "label" else self.salience.target
        salience = self.salience.model_copy(update={"target": target})
        return self.model_copy(update={"measures": ["entropy"], "salience": salience})

    def passes(self) -> int:
        """Forward passes that one run needs for one image."""
        return self.first_passes() + self.guided_passes() + len(self.randomised_shares())

    def first_passes(self) -> int:
        """Passes that wait for no other: of the clean image, of noise and of transformations."""
        noise = len(self.options.noise.levels) if "noise" in self.measures else 0
        geometry = len(self.options.geometry.transforms) if "geometry" in self.measures else 0
        return 1 + noise + geometry

    def guided_passes(self) -> int:
        """Passes of images degraded by the clean image's map."""
        return 2 + 2 * len(self.options.degradation.curve) if "degradation" in self.measures else 0

    def randomised_shares(self) -> list[float]:
        """The shares of its layers that a model is drawn anew with; the clean image passes once through each."""
        return self.options.randomisation.shares if "randomisation" in self.measures else []


def digest_of(spec: JobSpec) -> str:
    """SHA-256 of what is asked for beyond the defaults, so that equal specs are equal whatever was spelt out.

    A field that a later version adds changes no digest, and a key sent to both versions is the same job's.
    """
    asked = spec.model_dump(mode="json", exclude_defaults=True)
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _has_single_run(cohorts: object) -> bool:
    """Whether a cohort of an unchecked spec has one run; what is malformed is refused later."""
    if not isinstance(cohorts, list | tuple):
        return False
    runs = [cohort.get("runs") if isinstance(cohort, dict) else None for cohort in cohorts]
    return any(isinstance(each, list | tuple) and len(each) == 1 for each in runs)
