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


class Part(BaseModel):
    """A part of a spec: unknown fields are refused, and it does not change.

    Sequences with a least length are lists: of a tuple, a bad item is reported as a missing one too.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class NoiseOptions(Part):
    """The noise added: salt and pepper on shares of the values, or Gaussian of some standard deviations."""

    kind: Literal["salt_pepper", "gaussian"] = "salt_pepper"
    amounts: Annotated[list[Amount], Field(min_length=1, max_length=50)] = list(AMOUNTS)
    sigmas: Annotated[list[Sigma], Field(min_length=1, max_length=50)] = list(SIGMAS)

    @property
    def levels(self) -> list[float]:
        """The amounts or sigmas, as the kind has it."""
        return self.amounts if self.kind == "salt_pepper" else self.sigmas


class GeometryOptions(Part):
    """Transformations that the map should follow: flips, quarter turns, shifts, `rotate:DEG`, `scale:S`."""

    transforms: Annotated[list[Transform], Field(min_length=1, max_length=50)] = list(TRANSFORMS)


class DegradationOptions(Part):
    """`curve`: shares of pixels that are blurred as well, by rank of the map; none by default."""

    curve: Annotated[list[Share], Field(max_length=20)] = []


class RandomisationOptions(Part):
    """Which shares of the model's layers are drawn anew, from the top; a share is at least one layer."""

    shares: Annotated[list[LayerShare], Field(min_length=1, max_length=10)] = list(LAYER_SHARES)


class IntegratedGradientsOptions(Part):
    """In how many steps the gradients are taken between black and the picture."""

    steps: Annotated[int, Field(ge=2, le=1000)] = 20


class RiseOptions(Part):
    """How many random masks a picture is seen through, of how many cells a side, each kept with what probability."""

    masks: Annotated[int, Field(ge=8, le=20_000)] = 500
    cells: Annotated[int, Field(ge=2, le=64)] = 7
    keep: Annotated[float, Field(gt=0, lt=1)] = 0.5


class Options(Part):
    """What can be set a measure or a method."""

    noise: NoiseOptions = NoiseOptions()
    geometry: GeometryOptions = GeometryOptions()
    degradation: DegradationOptions = DegradationOptions()
    randomisation: RandomisationOptions = RandomisationOptions()
    integrated_gradients: IntegratedGradientsOptions = IntegratedGradientsOptions()
    rise: RiseOptions = RiseOptions()
