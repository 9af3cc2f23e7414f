from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.policy import Policy, StoredPolicy
from service.integrations.mlflow.client import READY, ModelVersion
from service.integrations.mlflow.selection import policy_for, to_like_pattern, versions_of_cohort


def make_policy(name: str, models: str | None) -> StoredPolicy:
    registry = {"registry": {"models": models}, "job": {"images": {"uri": "file:///p"}}} if models else {}
    gate = {"rules": [{"measure": "entropy", "op": ">=", "value": 0}]}
    return StoredPolicy(name, 1, Policy.model_validate({"gate": gate, **registry}), 0.0)


POLICIES = [make_policy("a", "*"), make_policy("b", "faces-*"), make_policy("c", "faces-v2"), make_policy("d", None)]


@pytest.mark.parametrize(("name", "chosen"), [("faces-v2", "c"), ("faces-v3", "a"), ("other", "a")])
def test_a_policy_that_names_the_model_precedes_a_policy_with_a_pattern(name: str, chosen: str) -> None:
    found = policy_for(name, POLICIES)
    assert found and found.name == chosen
    assert policy_for("faces", [make_policy("b", "faces-*"), make_policy("d", None)]) is None


def test_versions_with_the_same_cohort_tag_form_a_cohort() -> None:
    def version(number: int, status: str = READY, **tags: str) -> ModelVersion:
        return ModelVersion("m", str(number), status, {key.replace("_", "."): value for key, value in tags.items()})

    versions = [version(10, salience_cohort="a"), version(9, salience_cohort="a"), version(3, salience_cohort="b")]
    versions += [version(2), version(8, "PENDING_REGISTRATION", salience_cohort="a")]
    assert versions_of_cohort(versions[0], versions) == ["9", "10"]
    assert versions_of_cohort(versions[3], versions) == ["2"]
    assert versions_of_cohort(version(11, salience_cohort="a"), []) == ["11"]


@given(st.text("ab*?[]%_", max_size=6), st.text("ab%_[", max_size=6))
def test_the_like_pattern_matches_every_name_that_the_glob_pattern_matches(pattern: str, name: str) -> None:
    if fnmatchcase(name, pattern):
        assert _sql_like(name, to_like_pattern(pattern))


def _sql_like(name: str, pattern: str) -> bool:
    """Implement LIKE of SQL by its definition."""
    if not pattern:
        return not name
    if pattern[0] == "%":
        return any(_sql_like(name[start:], pattern[1:]) for start in range(len(name) + 1))
    return bool(name) and pattern[0] in (name[0], "_") and _sql_like(name[1:], pattern[1:])
