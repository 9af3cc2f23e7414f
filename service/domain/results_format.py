"""Completes results documents of earlier formats, so that code which reads results needs to know only one format."""

from collections.abc import Mapping
from typing import Any

from service.domain.format import FORMAT

Json = Mapping[str, Any]

FIRST_FORMAT = 1  # of documents that have no field `format`
# What each format added to the results. Documents of earlier formats are shown with a notice that they lack it.
ADDED: Mapping[int, str] = {4: "soundness checks, detection performance, chance, or tests of whether cohorts differ"}


def complete(results: Json) -> dict[str, Any]:
    """Return a results document with all the fields that pages and tables read. `format` and all values stay.

    A field that an earlier format lacks is null, or empty if it is a list or an object.
    """
    of_document: dict[str, Any] = {"soundness": {}, "warnings": [], "sample": []}
    of_cohort = {"degenerate": None, "performance": None}
    of_difference = dict.fromkeys(("compares", "d_z", "p", "p_holm", "differs"))
    cohorts = {name: {**of_cohort, **cohort} for name, cohort in results["cohorts"].items()}
    differences = [{**of_difference, **each} for each in results["differences"]]
    return {**of_document, **results, "cohorts": cohorts, "differences": differences}


def format_of(results: Json) -> int:
    """Return the format of a results document."""
    return int(results.get("format", FIRST_FORMAT))


def format_notice(results: Json) -> str | None:
    """Return a sentence on what results of an earlier format lack; None for results of the current format."""
    own = format_of(results)
    if own >= FORMAT:
        return None
    lacks = "; ".join(added for number, added in ADDED.items() if number > own)
    return (
        f"These results have format {own}, from an earlier release, which defined some numbers differently and had no "
        f"{lacks}: submit the job again to compare or judge it by today's rules."
    )
