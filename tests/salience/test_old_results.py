from salience.models import Verdict
from salience.results import COLUMNS, Results
from tests.support.old_results import results_of_format_3


def test_results_of_an_earlier_format_are_read_with_none_for_what_they_lack() -> None:
    raw = results_of_format_3()
    found = Results.from_json(raw)
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in found.rows()]
    (noise,) = (row for row in rows if (row["cohort"], row["measure"], row["part"]) == ("human-guided", "noise", ""))
    own = raw["cohorts"]["human-guided"]["measures"]["noise"]
    assert (noise["mean"], [noise["low"], noise["high"]]) == (own["mean"], own["ci95"])
    assert {row["measure"] for row in rows} == {"entropy", "noise", "stability", "degradation"}
    first = found.differences[0]
    assert (found.format, first.mean) == (3, raw["differences"][0]["mean"])
    assert (first.compares, first.d_z, first.p, first.p_holm, first.differs) == (None,) * 5
    assert (found.soundness, found.performance["human-guided"]) == ((), {})
    assert found.raw == raw


def test_a_verdict_of_an_earlier_release_is_read_without_soundness_checks() -> None:
    found = Verdict.from_json(results_of_format_3()["verdict"])
    assert (found.outcome, found.soundness) == ("fail", ())
