from typing import Any

from service.domain.format import FORMAT
from service.domain.results_format import ADDED, complete, format_notice
from tests.support.old_results import results_of_format_3


def assert_contains(whole: Any, part: Any) -> None:
    """Check that every value of `part` is at the same place in `whole`."""
    if isinstance(part, dict):
        for name, value in part.items():
            assert_contains(whole[name], value)
    elif isinstance(part, list):
        assert len(whole) == len(part)
        for one, other in zip(whole, part, strict=True):
            assert_contains(one, other)
    else:
        assert whole == part


def test_completing_old_results_keeps_every_value_and_adds_only_nulls_and_empty_containers() -> None:
    old = results_of_format_3()
    found = complete(old)
    assert_contains(found, old)
    first = found["differences"][0]
    added = {name: first[name] for name in first.keys() - old["differences"][0].keys()}
    assert added == {"compares": None, "d_z": None, "p": None, "p_holm": None, "differs": None}
    assert (found["soundness"], found["warnings"]) == ({}, [])
    assert [cohort["performance"] for cohort in found["cohorts"].values()] == [None, None]


def test_the_notice_names_the_format_and_is_only_for_results_of_earlier_formats() -> None:
    old = results_of_format_3()
    assert "format 3, from an earlier release" in str(format_notice(old))
    assert "submit the job again" in str(format_notice(old))
    assert "format 1" in str(format_notice({name: value for name, value in old.items() if name != "format"}))
    assert format_notice({**old, "format": FORMAT}) is None


def test_the_notice_knows_what_the_current_format_added() -> None:
    assert max(ADDED) == FORMAT
