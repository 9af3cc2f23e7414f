"""Policies: named, versioned rules that judge models. This module knows no HTTP and no SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from service.gate.rules import Gate, Text
from service.measures.strict_model import StrictModel
from service.spec.cohort import Model
from service.spec.model import Template

Pattern = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*$")]

CANDIDATE = "candidate"  # name of the cohort of registered versions that are judged


class JobTemplate(Template):
    """The spec of a job without its models."""

    model: Model = Model()
    """How to load the files of registered model versions."""


class Registry(StrictModel):
    """Which registered models the policy audits, their baseline, and the alias that a passing version receives."""

    models: Annotated[
        Pattern,
        Field(description="Name or pattern of registered models; `*` stands for any text and `?` for any character."),
    ]
    baseline_alias: Annotated[
        Text | None,
        Field(description="Alias of the version to compare with, such as champion; also the name of its cohort."),
    ] = None
    alias_on_pass: Annotated[Text | None, Field(description="Alias to give to a version that passes.")] = None


class Policy(StrictModel):
    """A named gate. With `job` and `registry`, the service audits registered models automatically."""

    description: Annotated[str, Field(max_length=2000)] = ""
    """Purpose of the policy, for readers."""
    gate: Gate
    """The gate with the rules that models must pass."""
    job: JobTemplate | None = None
    """The job that the service submits for a registered model version: a spec without `cohorts`, `baseline` and `gate`.
    """
    registry: Registry | None = None
    """Which registered models the policy applies to."""

    @model_validator(mode="after")
    def _has_rules(self) -> Self:
        if self.gate.policy is not None:
            raise PydanticCustomError("policy_of_policy", "a policy's gate holds rules; it cannot name a policy")
        if self.registry is not None and self.job is None:
            raise PydanticCustomError("no_job", "registry requires job, which describes the audit")
        return self

    def spec(self, name: str, version: int, cohorts: Sequence[tuple[str, Sequence[str]]]) -> dict[str, Any]:
        """Return the spec of a job under this policy, for cohorts given by name and the URIs of their runs."""
        assert self.job is not None, "only a policy with `job` can submit jobs"
        body = self.job.model_dump(mode="json", exclude_unset=True)
        model = body.pop("model", {})
        bodies = [{"name": each, "model": model, "runs": [{"uri": uri} for uri in uris]} for each, uris in cohorts]
        return {**body, "cohorts": bodies, "gate": {"policy": name, "version": version}}


@dataclass(frozen=True)
class StoredPolicy:
    """A version of a policy. `created_at` is in seconds since the epoch."""

    name: str
    version: int
    policy: Policy
    created_at: float
