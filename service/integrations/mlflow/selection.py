"""Which policy is for a model, and which versions are audited together. Knows no HTTP and no SQL."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from service.domain.policy import StoredPolicy
from service.integrations.mlflow.client import READY, ModelVersion
from service.integrations.mlflow.words import COHORT

MAX_RUNS = 100
WILDCARDS = "*?["


def policy_for(name: str, policies: Sequence[StoredPolicy]) -> StoredPolicy | None:
    """The policy for a model: the one that names it before those with a pattern, and then the first by name."""
    found = [each for each in policies if each.policy.registry and fnmatchcase(name, each.policy.registry.models)]
    return min(found, key=lambda each: (_is_pattern(each), each.name), default=None)


def to_like_pattern(pattern: str) -> str:
    """A pattern of names for the registry's search; what it finds too much is for `policy_for` to leave out."""
    head = pattern.partition("[")[0]
    return head.replace("*", "%").replace("?", "_") + ("%" if head != pattern else "")


def versions_of_cohort(version: ModelVersion, versions: Iterable[ModelVersion]) -> list[str]:
    """The versions of a version's recipe, oldest first: those with its cohort tag, or itself alone."""
    tag = version.tags.get(COHORT)
    if not tag:
        return [version.version]
    same = {each.version for each in versions if each.tags.get(COHORT) == tag and each.status == READY}
    return sorted(same | {version.version}, key=int)[-MAX_RUNS:]


def _is_pattern(kept: StoredPolicy) -> bool:
    assert kept.policy.registry is not None
    return any(sign in kept.policy.registry.models for sign in WILDCARDS)
