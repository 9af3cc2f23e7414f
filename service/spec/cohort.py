"""How the models of a job are loaded: preprocessing, outputs, runs and cohorts."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from service.gate.rules import Text as Name
from service.measures.strict_model import StrictModel

Activation = Literal["auto", "logits", "probabilities"]
Size = Annotated[int, Field(ge=8, le=4096)]


class ShorterSide(StrictModel):
    """Resize the shorter side to this many pixels, then crop the centre to the input size."""

    shorter: Size
    """Length of the shorter side after resizing, in pixels."""


class Preprocessing(StrictModel):
    """How an image becomes the model's input."""

    size: tuple[Size, Size] = (224, 224)
    """Height and width of the model's input, in pixels."""
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    """Mean of each channel, subtracted after scaling. One value per channel."""
    std: tuple[Annotated[float, Field(gt=0)], ...] = (0.229, 0.224, 0.225)
    """Standard deviation of each channel. The value minus the mean is divided by it."""
    resize: Literal["squash"] | ShorterSide = "squash"
    """`squash` resizes to `size` and ignores the aspect ratio; `{"shorter": N}` resizes the shorter side to N and crops
    the centre."""
    interpolation: Literal["bilinear", "bicubic", "nearest"] = "bilinear"
    """How pixels are interpolated when an image is resized."""
    channels: Literal["rgb", "bgr", "gray"] = "rgb"
    """Order of the channels that the model expects."""
    scale: Annotated[float, Field(gt=0)] = 1.0
    """Factor applied to images in [0, 1] before mean and standard deviation; 255 for models that expect bytes."""


class Outputs(StrictModel):
    """Which output of the model stands for which label, and whether the outputs are logits."""

    names: tuple[Name, ...] | None = None
    """Names of the labels, in the order of the logits. Give `names` or `order`, not both."""
    order: tuple[Annotated[int, Field(ge=0)], ...] | None = None
    """For each label, in alphabetical order of the labels, the index of its logit, from 0."""
    single: Literal["class-0", "class-1"] = "class-1"
    """The class that the logit of a model with one output stands for."""
    attack_class: Annotated[
        Name | None,
        Field(
            description="Label of the attack class, the positive class of error rates; for models of two classes. "
            "Default: the label of the second class."
        ),
    ] = None
    activation: Activation = "auto"
    """What the outputs are: `logits`, which are taken as they are, or `probabilities`. `auto` and `probabilities`
    remove a sigmoid or softmax at the model's end. For a model without one, `probabilities` turns the outputs back into
    logits; `auto` does the same, with a warning, if the outputs for the first images are probabilities."""


def _or_defaults(outputs: Outputs | None) -> Outputs:
    """Replace null, which earlier versions wrote, by the defaults."""
    return outputs or Outputs()


def _without_default(schema: dict[str, object]) -> None:
    """Drop the default from the schema: client generators accept only null as default of a nullable field."""
    schema.pop("default", None)


class Model(StrictModel):
    """How the files of a cohort become models."""

    format: Literal["auto", "checkpoint", "torchscript", "exported", "transformers", "onnx"] = "auto"
    """Format of the model files; `auto` detects it from their content."""
    architecture: Name | None = None
    """Architecture of a checkpoint, such as `torchvision/resnet50` or `timm/resnet50`."""
    num_classes: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Number of classes. Default: read from the weights of the last layer."""
    layer: Name | None = None
    """Module whose output is explained. Default: the last feature map before pooling."""
    preprocessing: Preprocessing = Preprocessing()
    """How an image becomes the model's input. Omitted fields are read from the model's own files, if they have them."""
    outputs: Annotated[Outputs | None, AfterValidator(_or_defaults), Field(json_schema_extra=_without_default)] = (
        Outputs()
    )
    """Which output stands for which label. Default: the model's own label names, otherwise the labels as numbers,
    otherwise in alphabetical order."""
    allow_nondeterministic: bool = False
    """Whether to audit a model that gives different maps or probabilities when it explains an image twice."""

    @property
    def activation(self) -> Activation:
        """What the outputs are, as the spec declares."""
        return (self.outputs or Outputs()).activation

    def with_activation(self, activation: Activation) -> "Model":
        """Return the model with this activation in its `outputs`."""
        outputs = (self.outputs or Outputs()).model_copy(update={"activation": activation})
        return self if activation == self.activation else self.model_copy(update={"outputs": outputs})


class Run(StrictModel):
    """One trained model."""

    uri: Annotated[str, StringConstraints(min_length=1, max_length=4096)]
    """Where the model is: `file://`, `artifact:`, `https://`, `s3://`, `gs://`, `models:/` or `runs:/`."""


class Cohort(StrictModel):
    """The runs of one training recipe."""

    name: Name
    """Name of the cohort; unique in the job."""
    model: Model = Model()
    """How the files of all runs become models."""
    runs: Annotated[list[Run], Field(min_length=1, max_length=100)]
    """The trained models of the cohort."""
