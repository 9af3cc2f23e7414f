"""The share of a cohort's maps that are degenerate, that is, show no salience. Above a limit, no rule is judged."""

from collections.abc import Mapping
from typing import Any

from service.gate.rules import Rule

Json = Mapping[str, Any]
LIMIT = 0.05  # the entire interval of a share must not lie above it


def share_of(document: Json, cohort: str) -> Json | None:
    """Return the share of degenerate maps of a cohort or of the baseline; None if the results do not have it."""
    found: Json | None
    if cohort in document["cohorts"]:
        found = document["cohorts"][cohort].get("degenerate")
    else:
        found = (document.get("baseline") or {}).get("degenerate")
    return found


def describe_share(share: Json) -> str:
    """Describe a share: `12 of 12 maps show no salience (100.0 %, 95 % interval 75.8 % to 100.0 %)`."""
    count, maps, (low, high) = share["count"], share["n"], share["ci95"]
    verb = "shows" if count == 1 else "show"
    whole = f"{100 * share['mean']:.1f} %, 95 % interval {100 * low:.1f} % to {100 * high:.1f} %"
    return f"{count:,} of {maps:,} maps {verb} no salience ({whole})"


def above_limit(share: Json | None) -> bool:
    """Return whether the entire interval of a share lies above the limit."""
    return share is not None and share["ci95"] is not None and share["ci95"][0] > LIMIT


def objection(document: Json, rule: Rule, cohort: str) -> str | None:
    """Return why a rule about a cohort cannot be judged because of degenerate maps; None if it can be judged."""
    for name in (cohort, rule.versus):
        share = share_of(document, name) if name is not None else None
        if share is not None and above_limit(share):
            return (
                f"{describe_share(share)} in {name!r}; "
                f"a cohort with more than {100 * LIMIT:g} % degenerate maps is not judged"
            )
        if share is None and sum((document.get("degenerate") or {}).get(name, ())):
            return f"an earlier release counted the degenerate maps of {name!r} as similar; submit the job again"
    return None
