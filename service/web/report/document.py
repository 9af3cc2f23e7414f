"""Renders a report as HTML, with a content security policy that forbids scripts and external resources."""

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
from service.domain.results_format import format_notice
from service.domain.variants import sample_variants
from service.measures import MEASURES
from service.measures.methods import METHODS
from service.web.formatting import minus, number
from service.web.report.charts import shape, strip, tone
from service.web.report.data import ReportData
from service.web.report.figures import panels
from service.web.report.findings import find_findings
from service.web.report.gallery import build_gallery
from service.web.report.heatmaps import draw_legend
from service.web.report.interpretation import INTERPRETATIONS, interval, join_words, pluralise
from service.web.report.mean_maps import mean_maps, out_of_set
from service.web.report.measure_figures import measure_figures
from service.web.report.performance import performance_figures
from service.web.report.svg import element
from service.web.report.tables import difference_tables, strata_figures
from service.web.soundness import summarise_soundness

STYLES = ("tokens.css", "report.css")
MAX_LISTED_SKIPPED = 200


def render_report(data: ReportData) -> str:
    """Render the page."""
    results = data.results
    return (
        _environment()
        .get_template("report.html")
        .render(
            job=data.job,
            title=data.job.spec.name or "Unnamed audit",
            style=Markup(style()),  # our own files
            policy=content_policy(),
            created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            ended=_moment(data.job.finished_at),
            facts=_facts(data),
            notice=format_notice(results),
            soundness=summarise_soundness(results),
            verdict=data.verdict,
            cohorts=[_cohort(data, place) for place in range(len(data.cohorts))],
            findings=find_findings(data),
            panels=panels(data),
            figures=[*performance_figures(data), *measure_figures(data)],
            strata=strata_figures(data),
            differences=difference_tables(data),
            gallery=build_gallery(data),
            variants=sample_variants(data.job.spec),
            pending=data.pending,
            means=mean_maps(data),
            outside=out_of_set(data),
            skipped=results["skipped"][:MAX_LISTED_SKIPPED],
            skipped_count=len(results["skipped"]),
            warnings=results["warnings"],
            provenance=results["provenance"],
            spec=json.dumps(results["provenance"]["spec"], indent=2, ensure_ascii=False),
            map_legend=draw_legend("Colour scale of the maps", "0: not salient", "1: most salient"),
            tile_legend=draw_legend("Colour scale of the tiles", "0: different", "1: identical"),
            meanings=MEASURES,
            version=__version__,
        )
    )


def content_policy() -> str:
    """Return the content security policy: a report loads its own style and images only, and runs no script."""
    digest = b64encode(hashlib.sha256(style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


@cache
def style() -> str:
    """Return the report's stylesheet."""
    folder = files("service.web") / "static"
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in STYLES)


def _cohort(data: ReportData, place: int) -> dict[str, Any]:
    name = data.cohorts[place]
    key = element("svg", shape(tone(place), 8, 8, 5.5), viewBox="0 0 16 16", class_="key", aria_hidden="true")
    accuracy = data.results["cohorts"][name]["accuracy"]
    return {
        "name": name, "tone": tone(place), "key": key, "runs": pluralise(len(data.runs_of(name)), "run"),
        "accuracy": None if accuracy is None else f"{100 * accuracy:.1f} %",
        "files": data.runs_of(name), "layer": data.results["provenance"]["layers"][name],
    }  # fmt: skip


def _facts(data: ReportData) -> list[tuple[str, str]]:
    provenance, spec = data.results["provenance"], data.job.spec
    runs = [len(cohort.runs) for cohort in spec.cohorts]
    return [
        ("Images", f"{provenance['images']['read']:,}"),
        (
            "Cohorts",
            f"{len(runs)}, with {join_words([str(each) for each in runs])} {'run' if runs[-1] == 1 else 'runs'}",
        ),
        ("Method", f"{spec.salience.method}, target: {_target(spec.salience.target)}"),
        ("Seed", str(spec.seed)),
    ]


def _target(target: str | int) -> str:
    names: Mapping[str | int, str] = {
        "predicted": "predicted class", "clean": "predicted class of the clean image", "label": "labelled class"
    }  # fmt: skip
    return names.get(target, f"class {target}")


def _moment(when: float | None) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M UTC") if when else ""


def _breakable(path: str) -> Markup:
    """Return a path that may wrap after each slash."""
    return Markup("/<wbr>").join(path.split("/"))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("service.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"breakable": _breakable, "minus": minus, "number": number, "interval": interval}
    environment.globals |= {"methods": METHODS, "words": INTERPRETATIONS, "strip": strip}
    return environment
