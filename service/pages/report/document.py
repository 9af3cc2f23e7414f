"""A report's HTML: its template with everything shown, and the policy that lets it load and run nothing."""

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from service import __version__
from service.catalogue import MEASURES, METHODS
from service.gate.degenerate import share_of, told
from service.pages.numerals import minus, number
from service.pages.report.charts import shape, tone
from service.pages.report.differences import differences
from service.pages.report.findings import findings
from service.pages.report.heat import legend
from service.pages.report.material import Material
from service.pages.report.means import mean_maps, out_of_set
from service.pages.report.measures import figures
from service.pages.report.panels import panels
from service.pages.report.pictures import gallery
from service.pages.report.strata import strata
from service.pages.report.svg import el
from service.pages.report.words import MEANINGS, counted, interval, listed
from service.variants import sample_variants

STYLES = ("tokens.css", "report.css")
MOST_SKIPPED = 200


def report_html(about: Material) -> str:
    """The page."""
    shown = about.results
    return (
        _environment()
        .get_template("report.html")
        .render(
            job=about.job,
            title=about.job.spec.name or "Unnamed audit",
            style=Markup(style()),  # our own files
            policy=content_policy(),
            made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            ended=_moment(about.job.finished_at),
            facts=_facts(about),
            verdict=about.verdict,
            cohorts=[_cohort(about, place) for place in range(len(about.cohorts))],
            findings=findings(about),
            panels=panels(about),
            figures=figures(about),
            strata=strata(about),
            differences=differences(about),
            gallery=gallery(about),
            variants=sample_variants(about.job.spec),
            waiting=about.waiting,
            means=mean_maps(about),
            outside=out_of_set(about),
            skipped=shown["skipped"][:MOST_SKIPPED],
            skipped_count=len(shown["skipped"]),
            provenance=shown["provenance"],
            spec=json.dumps(shown["provenance"]["spec"], indent=2, ensure_ascii=False),
            map_legend=legend("The scale of the maps' colours", "0: does not look", "1: looks most"),
            tile_legend=legend("The scale of the tiles' colours", "0: nothing alike", "1: the same"),
            meanings=MEASURES,
            version=__version__,
        )
    )


def content_policy() -> str:
    """What a report may load: its own style and its own pictures; and it may run nothing."""
    digest = b64encode(hashlib.sha256(style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


@cache
def style() -> str:
    """The report's stylesheet."""
    folder = files("service.pages") / "static"
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in STYLES)


def _cohort(about: Material, place: int) -> dict[str, Any]:
    name = about.cohorts[place]
    key = el("svg", shape(tone(place), 8, 8, 5.5), viewBox="0 0 16 16", class_="key", aria_hidden="true")
    accuracy = about.results["cohorts"][name]["accuracy"]
    return {
        "name": name, "tone": tone(place), "key": key, "runs": counted(len(about.runs_of(name)), "run"),
        "accuracy": None if accuracy is None else f"{100 * accuracy:.1f} %",
        "degenerate": _degenerate(about, name),
        "files": about.runs_of(name), "layer": about.results["provenance"]["layers"][name],
    }  # fmt: skip


def _degenerate(about: Material, name: str) -> str:
    """How many of a cohort's maps show no salience; empty where all do. Older results have the runs' counts alone."""
    share = share_of(about.results, name)
    if share is None:
        count = sum(about.results["degenerate"][name])
        return f"{counted(count, 'map')} without any salience" if count else ""
    return told(share) if share["count"] else ""


def _facts(about: Material) -> list[tuple[str, str]]:
    made, spec = about.results["provenance"], about.job.spec
    runs = [len(cohort.runs) for cohort in spec.cohorts]
    return [
        ("Images", f"{made['images']['read']:,}"),
        ("Cohorts", f"{len(runs)}, with {listed([str(each) for each in runs])} {'run' if runs[-1] == 1 else 'runs'}"),
        ("Maps by", f"{spec.salience.method}, of the {_target(spec.salience.target)}"),
        ("Seed", str(spec.seed)),
    ]


def _target(target: str | int) -> str:
    told: Mapping[str | int, str] = {
        "predicted": "class predicted", "clean": "class predicted of the clean image", "label": "labelled class"
    }  # fmt: skip
    return told.get(target, f"class numbered {target}")


def _moment(when: float | None) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M UTC") if when else ""


def _breakable(path: str) -> Markup:
    """A path that lines break after the slashes of."""
    return Markup("/<wbr>").join(path.split("/"))


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("service.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {"breakable": _breakable, "minus": minus, "number": number, "interval": interval}
    made.globals |= {"methods": METHODS, "words": MEANINGS}
    return made
