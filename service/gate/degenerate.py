"""How many of a cohort's maps are degenerate, that is, show no salience; above a limit its numbers mean nothing."""

from collections.abc import Mapping
from typing import Any

from service.gate.rules import Rule

Json = Mapping[str, Any]
LIMIT = 0.05  # that a share's whole interval must not lie above


def share_of(document: Json, cohort: str) -> Json | None:
    """The share of degenerate maps of a cohort, or of the baseline, in results; None where they do not say it."""
    found: Json | None
    if cohort in document["cohorts"]:
        found = document["cohorts"][cohort].get("degenerate")
    else:
        found = (document.get("baseline") or {}).get("degenerate")
    return found


def told(share: Json) -> str:
    """A share in words: `12 of 12 maps show no salience (100.0 %, 95 % interval 75.8 % to 100.0 %)`."""
    count, maps, (low, high) = share["count"], share["n"], share["ci95"]
    verb = "shows" if count == 1 else "show"
    whole = f"{100 * share['mean']:.1f} %, 95 % interval {100 * low:.1f} % to {100 * high:.1f} %"
    return f"{count:,} of {maps:,} maps {verb} no salience ({whole})"


def above_limit(share: Json | None) -> bool:
    """Whether the share's interval lies wholly above the limit."""
    return share is not None and share["ci95"] is not None and share["ci95"][0] > LIMIT


def objection(document: Json, rule: Rule, cohort: str) -> str | None:
    """Why no rule about a cohort, or one that compares with it, can be judged; None where nothing speaks against it."""
    for name in (cohort, rule.versus):
        share = share_of(document, name) if name is not None else None
        if share is not None and above_limit(share):
            return (
                f"{told(share)} in {name!r}; with more than {100 * LIMIT:g} % of them empty, its numbers mean nothing"
            )
        if share is None and sum((document.get("degenerate") or {}).get(name, ())):
            return f"an earlier release took the empty maps of {name!r} for alike; submit the job again"
    return None
