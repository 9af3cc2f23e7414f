"""The available salience methods: what each computes, its options and its source."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from service.measures.measure import UNIT, Bounds
from service.measures.strict_model import StrictModel


@dataclass(frozen=True)
class SalienceMethod:
    """A way to compute a salience map."""

    meaning: str
    source: str
    options: type[StrictModel] | None = None
    bounds: Bounds = UNIT


class IntegratedGradientsOptions(StrictModel):
    """How finely the path from black to the image is divided."""

    steps: Annotated[int, Field(ge=2, le=1000)] = 20
    """Number of points between the black image and the image at which gradients are taken."""


class RiseOptions(StrictModel):
    """The random masks through which the model sees each image."""

    masks: Annotated[int, Field(ge=8, le=20_000)] = 500
    """Number of random masks per image."""
    cells: Annotated[int, Field(ge=2, le=64)] = 7
    """Number of cells along each side of a mask's grid."""
    keep: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Probability that a cell of the grid leaves the image visible."""


METHODS: Mapping[str, SalienceMethod] = {
    "gradcam": SalienceMethod(
        "Feature maps weighted by the mean gradient of the target's logit, rectified.", "Selvaraju et al. 2017"
    ),
    "diffgradcam": SalienceMethod(
        "Grad-CAM of the target's logit minus that of the strongest other class; blind to what raises both alike.",
        "Piland, Sweet and Czajka 2025",
    ),
    "cam": SalienceMethod(
        "Feature maps weighted by the target's row of the linear layer that follows pooling, not rectified.",
        "Zhou et al. 2016",
    ),
    "gradcam++": SalienceMethod(
        "Grad-CAM with weights that count each position by how much it raises the target.", "Chattopadhay et al. 2018"
    ),
    "hirescam": SalienceMethod("Gradient times feature map at each position, rectified.", "Draelos and Carin 2020"),
    "layercam": SalienceMethod("Positive gradient times feature map at each position, rectified.", "Jiang et al. 2021"),
    "eigencam": SalienceMethod(
        "Feature maps projected on their first principal axis; independent of the class.", "Muhammad and Yeasin 2020"
    ),
    "saliency": SalienceMethod("The largest absolute gradient among the channels of a pixel.", "Simonyan et al. 2014"),
    "integrated_gradients": SalienceMethod(
        "Absolute sum over channels of pixel times mean gradient between black and the image.",
        "Sundararajan et al. 2017",
        IntegratedGradientsOptions,
    ),
    "rise": SalienceMethod(
        "Mean of random masks, each weighted by the target's probability under it; works with black boxes.",
        "Petsiuk et al. 2018",
        RiseOptions,
    ),
}
