"""Selects the policy of a model, and the versions that are audited together. This module knows no HTTP and no SQL."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from service.domain.policy import StoredPolicy
from service.integrations.mlflow.client import READY, ModelVersion
from service.integrations.mlflow.tags import COHORT

MAX_RUNS = 100
WILDCARDS = "*?["


def policy_for(name: str, policies: Sequence[StoredPolicy]) -> StoredPolicy | None:
    """Return the policy for a model; None if there is none.

    A policy that names the model precedes policies with a pattern; among equals, the first by name applies.
    """
    matching = [each for each in policies if each.policy.registry and fnmatchcase(name, each.policy.registry.models)]
    return min(matching, key=lambda each: (_is_pattern(each), each.name), default=None)


def to_like_pattern(pattern: str) -> str:
    """Return an SQL LIKE pattern for a glob pattern. It may match more names; `policy_for` matches exactly."""
    head = pattern.partition("[")[0]
    return head.replace("*", "%").replace("?", "_") + ("%" if head != pattern else "")


def versions_of_cohort(version: ModelVersion, versions: Iterable[ModelVersion]) -> list[str]:
    """Return all versions with the cohort tag of a version, oldest first. Without the tag, return only the version."""
    tag = version.tags.get(COHORT)
    if not tag:
        return [version.version]
    same = {each.version for each in versions if each.tags.get(COHORT) == tag and each.status == READY}
    return sorted(same | {version.version}, key=int)[-MAX_RUNS:]


def _is_pattern(policy: StoredPolicy) -> bool:
    assert policy.policy.registry is not None
    return any(wildcard in policy.policy.registry.models for wildcard in WILDCARDS)
