"""Which policy is for a model, and which versions are audited together. Knows no HTTP and no SQL."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from service.policy import KeptPolicy
from service.registry.mlflow import READY, ModelVersion
from service.registry.words import COHORT

MOST_RUNS = 100
WILD = "*?["


def policy_for(name: str, policies: Sequence[KeptPolicy]) -> KeptPolicy | None:
    """The policy for a model: the one that names it before those with a pattern, and then the first by name."""
    found = [each for each in policies if each.policy.registry and fnmatchcase(name, each.policy.registry.models)]
    return min(found, key=lambda each: (_is_pattern(each), each.name), default=None)


def like(pattern: str) -> str:
    """A pattern of names for the registry's search; what it finds too much is for `policy_for` to leave out."""
    head = pattern.partition("[")[0]
    return head.replace("*", "%").replace("?", "_") + ("%" if head != pattern else "")


def cohort_of(version: ModelVersion, among: Iterable[ModelVersion]) -> list[str]:
    """The versions of a version's recipe, oldest first: those with its cohort tag, or itself alone."""
    tag = version.tags.get(COHORT)
    if not tag:
        return [version.version]
    same = {each.version for each in among if each.tags.get(COHORT) == tag and each.status == READY}
    return sorted(same | {version.version}, key=int)[-MOST_RUNS:]


def _is_pattern(kept: KeptPolicy) -> bool:
    assert kept.policy.registry is not None
    return any(sign in kept.policy.registry.models for sign in WILD)
