"""Defines gates and their rules about the numbers of a results document. Reads no document."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from service.gate.soundness import CheckName, Limit
from service.measures.measure import CHANCE_STATISTICS
from service.measures.strict_model import StrictModel
from service.measures.tree import SPREAD_STATISTICS

Op = Literal[">=", "<="]
Statistic = Literal[
    "mean", "sd", "q05", "q25", "q50", "q75", "q95", "pearson", "mse", "iou20", "entropy_change",
    "probability_change", "flipped", "probability", "chance", "corrected",
]  # fmt: skip
Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*$")]
Path = Annotated[
    str,
    StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f]*$"),
    Field(
        description="Path of a number in the cohort's results: `entropy`, `noise.parts.0.1`, "
        "`strata.class.synthetic.entropy`, `accuracy`, `runs.0.measures.entropy`."
    ),
]
PolicyName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


class Rule(StrictModel):
    """Compares a number of a cohort with a threshold, or with the same number of another cohort or of the baseline.

    With `versus`, the difference must be at most the margin (`<=`) or at least minus the margin (`>=`).
    """

    measure: Path
    cohort: Annotated[Text | None, Field(description="Name of the cohort. Optional if only one is possible.")] = None
    statistic: Statistic = "mean"
    """Statistic of the measure: `mean`, or another statistic that the results contain for this measure."""
    op: Op
    """Whether the number must be at least (`>=`) or at most (`<=`) the threshold."""
    value: float | None = None
    """The threshold. Give either `value`, or both `versus` and `margin`."""
    versus: Annotated[Text | None, Field(description="Another cohort, or the name of the baseline.")] = None
    margin: float | None = None
    """How much worse than `versus` the cohort may be; a negative margin demands that it is better."""

    @model_validator(mode="after")
    def _check_comparison(self) -> Self:
        given = (self.value is not None, self.versus is not None, self.margin is not None)
        if given not in ((True, False, False), (False, True, True)):
            raise PydanticCustomError("one_way", "give either `value`, or both `versus` and `margin`")
        return self

    @property
    def path(self) -> str:
        """The path of the number that the rule judges. It ends in the statistic unless that is the mean."""
        return self.measure if self.statistic == "mean" else f"{self.measure}.{self.statistic}"

    @property
    def is_judged_at_end(self) -> bool:
        """Whether the number has an interval only once all images are audited.

        Such numbers are those of detection performance, of chance, and those corrected for chance.
        """
        return ".performance." in f".{self.measure}" or self.is_on_chance

    @property
    def is_on_chance(self) -> bool:
        """Whether the number is what unrelated images have by chance, or is corrected for it."""
        return self.path.rpartition(".")[2] in CHANCE_STATISTICS

    @property
    def spread(self) -> tuple[str, str] | None:
        """The path of the measure, and the statistic, if the statistic is one of SPREAD_STATISTICS, otherwise None.

        The rule may name the statistic in `statistic` or at the end of `measure`.
        """
        measure, _, last = self.path.rpartition(".")
        return (measure, last) if last in SPREAD_STATISTICS else None

    @property
    def threshold(self) -> float:
        """The threshold for the number, or for the difference from `versus`."""
        if self.value is not None:
            return self.value
        assert self.margin is not None, "a rule without a value has a margin"
        return self.margin if self.op == "<=" else -self.margin


class Gate(StrictModel):
    """Rules that must all pass, or the name of a policy that contains them."""

    rules: Annotated[list[Rule], Field(max_length=100)] = []  # noqa: RUF012  # pydantic copies it
    """Rules that must all pass. Give `rules` or `policy`, not both."""
    policy: PolicyName | None = None
    """Name of a policy whose rules apply."""
    version: Annotated[int, Field(ge=1)] | None = None
    """Version of the policy. Default: the newest version when the job is accepted."""
    soundness: Annotated[
        dict[CheckName, Limit],
        Field(
            description="By name of a soundness check: a limit that replaces the check's own, or `off` to skip the "
            "check. The verdict lists these checks."
        ),
    ] = {}  # noqa: RUF012  # as above

    @model_validator(mode="after")
    def _rules_or_policy(self) -> Self:
        if bool(self.rules) == (self.policy is not None):
            raise PydanticCustomError("rules_or_policy", "give rules, or the name of a policy")
        if self.version is not None and self.policy is None:
            raise PydanticCustomError("version_of_nothing", "version belongs to a policy; give policy, or omit version")
        if self.soundness and self.policy is not None:
            raise PydanticCustomError("soundness_of_policy", "the policy decides its soundness checks; omit soundness")
        return self
