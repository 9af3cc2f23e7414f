from xml.etree import ElementTree

import pytest

from service.commands.verdict_output import EndedJob, junit, markdown, print_verdict
from service.gate import CohortCheck, Missing, Number, Outcome, PolicyUsed, Rule, Verdict, error_verdict, evaluate

FOUND = {
    "good": Number(0.8, (0.7, 0.9), "a|b", 40),
    "wide": Number(0.5, (0.4, 0.6), "a|b", 40),
    "bad": Number(0.2, (0.1, 0.3), "a|b", 40),
}


def verdict(*measures: str) -> Verdict:
    def find(rule: Rule) -> Number:
        if rule.measure not in FOUND:
            raise Missing("[red] <not> computed")
        return FOUND[rule.measure]

    rules = [Rule(measure=each, op=">=", value=0.5) for each in measures]
    return evaluate(rules, find, PolicyUsed(name="strict", version=2))


@pytest.mark.parametrize(
    ("measures", "status", "lenient"),
    [(["good"], 0, 0), (["good", "wide"], 1, 0), (["wide", "bad"], 1, 1), (["bad", "lost"], 2, 2)],
)
def test_the_exit_status_of_a_command_depends_on_the_verdict(measures: list[str], status: int, lenient: int) -> None:
    decided = verdict(*measures)
    assert (EndedJob("j", decided).status, EndedJob("j", decided, allow_inconclusive=True).status) == (status, lenient)


@pytest.mark.parametrize("lenient", [False, True])
def test_the_junit_file_has_a_test_case_with_an_outcome_for_every_rule(lenient: bool) -> None:
    found = junit(EndedJob("j", verdict("good", "wide", "bad", "lost"), lenient))
    suite = ElementTree.fromstring(found).find("testsuite")
    assert suite is not None
    counts = {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": 4, "failures": 1 if lenient else 2, "errors": 1, "skipped": int(lenient)}
    names = [case.attrib["name"] for case in suite]
    assert names == ["good >= 0.5", "wide >= 0.5", "bad >= 0.5", "lost >= 0.5"]
    tags = [[each.tag for each in case] for case in suite]
    assert tags == [[], ["skipped" if lenient else "failure"], ["failure"], ["error"]]
    assert "[0.1, 0.3]" in suite[2][0].attrib["message"]


def test_the_junit_file_is_valid_xml_for_rules_without_a_cohort_and_with_forbidden_characters() -> None:
    odd = Rule(measure="entropy", cohort="a\uffff", op=">=", value=0.5)
    lost = error_verdict([odd, odd.model_copy(update={"cohort": None})], "the model says \x1b[31m")
    found = junit(EndedJob("j", lost))
    cases = list(ElementTree.fromstring(found).iter("testcase"))
    assert [case.attrib["classname"] for case in cases] == ["salience.a\ufffd", "salience"]
    assert "the model says \ufffd[31m" in cases[0][0].attrib["message"]


CHECKS: list[dict[str, object]] = [
    {"name": "image", "cohort": "a|b", "run": None, "status": "failed", "sentence": "All maps are <alike>."},
    {"name": "accuracy", "cohort": "a|b", "run": 1, "status": "off", "sentence": "The gate switches this check off."},
]  # fmt: skip


def unsound() -> EndedJob:
    empty = {"number": None, "interval": None, "limit": None}
    checks = [CohortCheck.model_validate({**empty, **each}) for each in CHECKS]
    return EndedJob("j", verdict("good").model_copy(update={"soundness": checks}))


def test_the_junit_file_has_a_test_case_for_each_soundness_check_and_an_error_if_it_fails() -> None:
    suite = ElementTree.fromstring(junit(unsound())).find("testsuite")
    assert suite is not None
    assert (suite.attrib["tests"], suite.attrib["errors"]) == ("3", "1")
    _, failed, off = suite
    assert (failed.attrib["classname"], failed.attrib["name"]) == ("salience.a|b.soundness", "image of 'a|b'")
    assert failed[0].attrib["message"] == "failed: image of 'a|b': All maps are <alike>."
    assert (off[0].tag, off[0].text) == (
        "system-out",
        "off: accuracy of run 1 of 'a|b': The gate switches this check off.",
    )


def test_the_markdown_and_the_table_list_soundness_checks(capsys: pytest.CaptureFixture[str]) -> None:
    assert "\n- failed: image of 'a|b': All maps are \\<alike\\>.\n- off: accuracy of run 1" in markdown(unsound())
    print_verdict(unsound())
    shown = capsys.readouterr().out
    assert "failed: image of 'a|b': All maps are <alike>." in shown
    assert "off: accuracy of run 1 of 'a|b': The gate switches this check off." in shown


def test_the_junit_file_of_a_failed_job_has_one_test_case_with_an_error() -> None:
    lost = Verdict(outcome=Outcome.ERROR, reason="Audit failed; no verdict", images=None, policy=None, rules=[])
    found = junit(EndedJob("j", lost))
    (case,) = ElementTree.fromstring(found).iter("testcase")
    assert (case.attrib["name"], case[0].tag) == ("job j", "error")


def test_the_markdown_escapes_special_characters() -> None:
    text = markdown(EndedJob("j", verdict("good", "lost")))
    assert text.startswith("### Salience gate: error\n")
    assert "| good \\>= 0.5 | a\\|b | 0.8 | 0.7 to 0.9 | pass |" in text
    assert "\\[red\\] \\<not\\> computed" in text
    assert "by version 2 of policy strict" in text


def test_the_table_does_not_cut_the_names_of_rules_on_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    print_verdict(EndedJob("j", verdict("strata.class.synthetic.geometry.of.lost")))
    assert "…" not in capsys.readouterr().out


def test_the_table_shows_every_rule_and_escapes_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_verdict(EndedJob("j", verdict("good", "lost")))
    shown = capsys.readouterr().out
    for text in ("good >= 0.5", "0.7 to 0.9", "pass", "error: lost", "[red]"):
        assert text in shown
