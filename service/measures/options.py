"""What can be set of a measure or a salience method, with its default. Knows nothing of the rest of a spec."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

_TRANSFORM = (
    r"^(hflip|vflip|rot90|rot270|shift:-?[0-9]{1,4},-?[0-9]{1,4}"
    r"|rotate:-?[0-9]{1,3}(\.[0-9]{1,3})?|scale:[0-9]{1,2}(\.[0-9]{1,3})?)$"
)
Transform = Annotated[str, StringConstraints(pattern=_TRANSFORM)]
Amount = Annotated[float, Field(ge=0, le=1)]
Sigma = Annotated[float, Field(gt=0, le=10)]
Share = Annotated[float, Field(gt=0, lt=1)]
LayerShare = Annotated[float, Field(gt=0, le=1)]

LAYER_SHARES = (0.1, 0.5, 1.0)
SIGMAS = (0.05, 0.1, 0.2, 0.4)
AMOUNTS = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0)
SHIFTS = tuple(f"shift:{dx},{dy}" for dy in (-16, 0, 16) for dx in (-16, 0, 16) if dx or dy)
TRANSFORMS = ("hflip", "vflip", "rot90", "rot270", *SHIFTS)


class StrictModel(BaseModel):
    """A part of a spec: it refuses unknown fields and cannot be changed.

    Sequences with a least length are lists: of a tuple, a bad item is reported as a missing one too.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)


class NoiseOptions(StrictModel):
    """The noise to add, from weak to strong."""

    kind: Literal["salt_pepper", "gaussian"] = "salt_pepper"
    """`salt_pepper` sets a share of the values to black or white; `gaussian` adds normal noise."""
    amounts: Annotated[list[Amount], Field(min_length=1, max_length=50)] = list(AMOUNTS)
    """Shares of the values that salt and pepper replaces, in [0, 1]."""
    sigmas: Annotated[list[Sigma], Field(min_length=1, max_length=50)] = list(SIGMAS)
    """Standard deviations of the Gaussian noise, for images in [0, 1]."""

    @property
    def levels(self) -> list[float]:
        """The amounts or sigmas, as the kind has it."""
        return self.amounts if self.kind == "salt_pepper" else self.sigmas


class GeometryOptions(StrictModel):
    """The transformations that the map should follow."""

    transforms: Annotated[list[Transform], Field(min_length=1, max_length=50)] = list(TRANSFORMS)
    """Transformations: `hflip`, `vflip`, `rot90`, `rot270`, `shift:DX,DY` in pixels, `rotate:DEGREES`, `scale:FACTOR`.
    """


class DegradationOptions(StrictModel):
    """Which shares of the pixels to blur beside `background` and `object`."""

    curve: Annotated[list[Share], Field(max_length=20)] = []
    """Shares of the pixels, ranked by the map, to blur in addition, most and least salient first. Default: none."""


class RandomisationOptions(StrictModel):
    """How many of the model's layers get new random weights."""

    shares: Annotated[list[LayerShare], Field(min_length=1, max_length=10)] = list(LAYER_SHARES)
    """Shares of the model's layers whose weights are drawn anew, from the output backwards; at least one layer each."""


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


class Options(StrictModel):
    """Options of the measures and methods, by name."""

    noise: NoiseOptions = NoiseOptions()
    """Options of the measure `noise`."""
    geometry: GeometryOptions = GeometryOptions()
    """Options of the measure `geometry`."""
    degradation: DegradationOptions = DegradationOptions()
    """Options of the measure `degradation`."""
    randomisation: RandomisationOptions = RandomisationOptions()
    """Options of the measure `randomisation`."""
    integrated_gradients: IntegratedGradientsOptions = IntegratedGradientsOptions()
    """Options of the method `integrated_gradients`."""
    rise: RiseOptions = RiseOptions()
    """Options of the method `rise`."""
