"""Formats a verdict as a table, as JUnit XML and as Markdown, and maps it to an exit status."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from service.commands.results_table import print_checks
from service.gate import CohortCheck, Outcome, Rule, RuleResult, Status, Verdict

COLOURS = {Outcome.PASS: "green", Outcome.INCONCLUSIVE: "yellow", Outcome.FAIL: "red", Outcome.ERROR: "red"}
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
HEADINGS = ("rule", "cohort", "number", "95 % interval", "outcome")


@dataclass(frozen=True)
class EndedJob:
    """ID and verdict of a job that has ended. With `allow_inconclusive`, an inconclusive verdict counts as success."""

    job: str
    verdict: Verdict
    allow_inconclusive: bool = False

    @property
    def status(self) -> int:
        """The exit status: 0 for pass, 1 for fail or inconclusive, 2 for error."""
        successes = (Outcome.PASS, Outcome.INCONCLUSIVE) if self.allow_inconclusive else (Outcome.PASS,)
        if self.verdict.outcome in successes:
            return 0
        return 2 if self.verdict.outcome is Outcome.ERROR else 1


def print_verdict(ended: EndedJob) -> None:
    """Print a table of the rules with the judged values, then the verdict."""
    console, outcome = Console(), ended.verdict.outcome
    # CI logs are narrow. Folding keeps the whole name of a rule, which truncating would hide.
    table = Table(*(Column(heading, overflow="fold") for heading in HEADINGS))
    for each in ended.verdict.rules:
        table.add_row(*map(escape, _cells(each)[:-1]), f"[{COLOURS[each.outcome]}]{each.outcome}[/]")
    console.print(table)
    print_checks(ended.verdict.soundness, console)
    console.print(f"[{COLOURS[outcome]}]{outcome}[/]: {escape(ended.verdict.reason)}", soft_wrap=True)


def markdown(ended: EndedJob) -> str:
    """Return the verdict as Markdown, for the job summary of a CI service."""
    lines = [f"### Salience gate: {ended.verdict.outcome}", "", _text(ended.verdict.reason), ""]
    if ended.verdict.rules:
        lines += [_row(HEADINGS), _row(["---"] * len(HEADINGS)), *(_row(_cells(each)) for each in ended.verdict.rules)]
    if ended.verdict.soundness:
        lines += ["", "Soundness checks:", "", *(f"- {_text(_describe(each))}" for each in ended.verdict.soundness)]
    policy = ended.verdict.policy
    by = f", by version {policy.version} of policy {_text(policy.name)}" if policy else ""
    return "\n".join([*lines, "", f"Job `{ended.job}`{by}.", ""])


def junit(ended: EndedJob) -> bytes:
    """Return the rules, and the soundness checks that the verdict lists, as test cases in JUnit XML."""
    rules = ended.verdict.rules
    suite = ElementTree.Element("testsuite", name="salience gate")
    for each in rules:
        group = _xml(f"salience.{each.cohort}" if each.cohort else "salience")
        case = ElementTree.SubElement(suite, "testcase", classname=group, name=_xml(_format_rule(each.rule)))
        _add_outcome(case, each.outcome, each.reason, ended.allow_inconclusive)
    for check in ended.verdict.soundness:
        _add_check(suite, check)
    if not rules:
        case = ElementTree.SubElement(suite, "testcase", classname="salience", name=f"job {ended.job}")
        _add_outcome(case, ended.verdict.outcome, ended.verdict.reason, ended.allow_inconclusive)
    suite.set("tests", str(len(suite)))
    for counted, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(counted, str(len(suite.findall(f"testcase/{tag}"))))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _add_check(suite: ElementTree.Element, check: CohortCheck) -> None:
    """Add a soundness check as a test case: an error if it fails, else a success with its sentence as output."""
    group, about = _xml(f"salience.{check.cohort}.soundness"), _describe(check)
    case = ElementTree.SubElement(suite, "testcase", classname=group, name=f"{check.name} of {_xml(check.subject)}")
    if check.status is Status.FAILED:
        ElementTree.SubElement(case, "error", message=_xml(about), type="error")
    else:
        ElementTree.SubElement(case, "system-out").text = _xml(about)


def _describe(check: CohortCheck) -> str:
    return f"{check.status}: {check.name} of {check.subject}: {check.sentence}"


def _add_outcome(case: ElementTree.Element, outcome: Outcome, reason: str, lenient: bool) -> None:
    tags = {Outcome.FAIL: "failure", Outcome.ERROR: "error", Outcome.INCONCLUSIVE: "skipped" if lenient else "failure"}
    if outcome in tags:
        element = ElementTree.SubElement(case, tags[outcome], message=_xml(reason))
        if tags[outcome] != "skipped":
            element.set("type", outcome)


def _xml(text: str) -> str:
    """Replace the characters that XML does not allow, even escaped."""
    return NOT_IN_XML.sub("\ufffd", text)


def _cells(each: RuleResult) -> list[str]:
    sign = "+" if each.rule.versus else ""
    number = "" if each.number is None else f"{each.number:{sign}.4g}"
    interval = f"{each.interval[0]:{sign}.4g} to {each.interval[1]:{sign}.4g}" if each.interval else ""
    return [_format_rule(each.rule), each.cohort or "", number, interval, str(each.outcome)]


def _format_rule(rule: Rule) -> str:
    name = rule.measure if rule.statistic == "mean" else f"{rule.measure} ({rule.statistic})"
    if rule.versus is None:
        return f"{name} {rule.op} {rule.value:g}"
    return f"{name} - {rule.versus}'s {rule.op} {rule.threshold:+g}"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_text(cell).replace("|", "\\|") for cell in cells) + " |"


def _text(text: str) -> str:
    """Escape text for Markdown and join its lines."""
    escaped = "".join(f"\\{letter}" if letter in "\\`*_[]<>#" else letter for letter in text)
    return " ".join(escaped.split())
