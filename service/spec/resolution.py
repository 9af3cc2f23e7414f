"""What a spec leaves to its models: how pictures become their input, where the spec says nothing of it.

A job is kept as it was asked; once planned, it shows what its models' own files filled in.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from service.errors import ModelRefused
from service.spec.cohort import Preprocessing
from service.spec.model import JobSpec

Json = dict[str, Any]


def to_stored(spec: JobSpec) -> Json:
    """The spec as it is kept: with its defaults, except for preprocessing, which the models may have a say in."""
    dumped = spec.model_dump(mode="json")
    for cohort, kept in zip(spec.cohorts, dumped["cohorts"], strict=True):
        kept["model"]["preprocessing"] = cohort.model.preprocessing.model_dump(mode="json", exclude_unset=True)
    return dumped


def resolve_preprocessing(request: Preprocessing, own: Mapping[str, Any]) -> Preprocessing:
    """What was asked, then what the model says, then the defaults. Raises ModelRefused for what cannot be."""
    try:
        return Preprocessing.model_validate({**own, **request.model_dump(exclude_unset=True)})
    except ValidationError as error:
        first = error.errors()[0]
        raise ModelRefused(
            model_field="preprocessing",
            reason=f"the model's own files say preprocessing.{'.'.join(map(str, first['loc']))}={first['input']!r}: "
            f"{first['msg']}; give model.preprocessing in full",
        ) from error


def with_preprocessing(spec: JobSpec, preprocessing: Sequence[Preprocessing]) -> JobSpec:
    """The spec with each cohort's preprocessing."""
    cohorts = [
        cohort.model_copy(update={"model": cohort.model.model_copy(update={"preprocessing": each})})
        for cohort, each in zip(spec.cohorts, preprocessing, strict=True)
    ]
    return spec.model_copy(update={"cohorts": cohorts})


def resolved(spec: JobSpec, plan: Json | None) -> JobSpec:
    """The spec as a job's plan has settled it; before there is a plan, as it was asked."""
    if plan is None:
        return spec
    own = [cohort["preprocessing"] for cohort in plan.get("cohorts", ()) if "preprocessing" in cohort]
    if len(own) < len(spec.cohorts):  # planned by a version that asked no models
        return spec
    return with_preprocessing(spec, [Preprocessing.model_validate(each) for each in own])
