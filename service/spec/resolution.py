"""Fills in the preprocessing that a spec omits, from the files of its models.

A job is stored with the preprocessing that its request states. Once the job is planned, it shows all values.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from service.errors import ModelRefused
from service.spec.cohort import Preprocessing
from service.spec.model import JobSpec

Json = dict[str, Any]


def to_stored(spec: JobSpec) -> Json:
    """Return the spec as it is stored: with all defaults, except those of preprocessing, which models may declare."""
    dumped = spec.model_dump(mode="json")
    for cohort, stored in zip(spec.cohorts, dumped["cohorts"], strict=True):
        stored["model"]["preprocessing"] = cohort.model.preprocessing.model_dump(mode="json", exclude_unset=True)
    return dumped


def resolve_preprocessing(request: Preprocessing, own: Mapping[str, Any]) -> Preprocessing:
    """Return the requested values. Omitted values come from the model's files, or else from the defaults.

    Raises ModelRefused if the model declares an invalid value.
    """
    try:
        return Preprocessing.model_validate({**own, **request.model_dump(exclude_unset=True)})
    except ValidationError as error:
        first = error.errors()[0]
        raise ModelRefused(
            model_field="preprocessing",
            reason=f"the model's files declare preprocessing.{'.'.join(map(str, first['loc']))}={first['input']!r}: "
            f"{first['msg']}; give model.preprocessing in full",
        ) from error


def with_preprocessing(spec: JobSpec, preprocessing: Sequence[Preprocessing]) -> JobSpec:
    """Return the spec with this preprocessing for each cohort, in the order of the cohorts."""
    cohorts = [
        cohort.model_copy(update={"model": cohort.model.model_copy(update={"preprocessing": each})})
        for cohort, each in zip(spec.cohorts, preprocessing, strict=True)
    ]
    return spec.model_copy(update={"cohorts": cohorts})


def resolved(spec: JobSpec, plan: Json | None) -> JobSpec:
    """Return the spec with the preprocessing in the job's plan; without a plan, return it unchanged."""
    if plan is None:
        return spec
    own = [cohort["preprocessing"] for cohort in plan.get("cohorts", ()) if "preprocessing" in cohort]
    if len(own) < len(spec.cohorts):  # the release that planned the job read no preprocessing from models
        return spec
    return with_preprocessing(spec, [Preprocessing.model_validate(each) for each in own])
