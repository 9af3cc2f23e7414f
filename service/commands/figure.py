"""`salience figure`: draws a measure of a job's cohorts, with 95 % intervals, as a figure for a paper.

Drawing needs matplotlib. The colours are those of Okabe and Ito. Cohorts also differ in their marks and lines, so that
a grey print is readable.
"""

import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from math import nan
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import click

from salience import Client
from service.commands.arguments import JobId, Output, OutputFile, fills_standard_output, json_option, url_option
from service.measures import MEASURES

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN_MM = 86.0  # millimetres: the column width of most two-column journals
MM_PER_INCH = 25.4
KINDS = ("pdf", "svg", "png")
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKS, LINES = "oDs^vXP", ("-", "--", "-.", ":")
STYLE: Any = {
    "font.size": 8, "axes.labelsize": 8, "xtick.labelsize": 7, "ytick.labelsize": 7, "legend.fontsize": 7,
    "axes.linewidth": 0.6, "lines.linewidth": 1.2, "lines.markersize": 4, "pdf.fonttype": 42, "svg.fonttype": "none",
    "svg.hashsalt": "salience", "axes.spines.top": False, "axes.spines.right": False, "font.family": "sans-serif",
}  # fmt: skip
HIDDEN = ("matrix", "background")  # parts that are not means, or repeat the measure's own value
LETTER, LEGEND_LINE = 1.4, 4.0  # of the legend, in millimetres: upper bound of a letter's width, height of a line
HANDLE_LETTERS, MAX_COLUMNS = 8, 3  # width of a legend's line and mark, in letters; columns of the legend

Json = Mapping[str, Any]


@click.command()
@click.argument("job", type=JobId())
@click.option("--measure", type=click.Choice(list(MEASURES)), required=True, help="Measure to draw.")
@click.option(
    "-o", "--output", type=OutputFile(), required=True,
    help=f"File to write; its extension gives the format: {', '.join(KINDS)}.",
)  # fmt: skip
@click.option("--format", "kind", type=click.Choice(KINDS), help="File format [default: by the extension, else pdf].")
@click.option(
    "--width", type=click.FloatRange(30, 400), default=COLUMN_MM, show_default=True, help="Width in millimetres."
)
@url_option
@json_option
def figure(job: str, measure: str, output: Output, kind: str | None, width: float, url: str, as_json: bool) -> None:  # noqa: PLR0913  # options
    """Draw a measure of JOB's cohorts with 95 % intervals. The default width is that of a journal column."""
    alone = fills_standard_output([output], as_json)
    kind = kind or (output.path.suffix.removeprefix(".") if output.path else KINDS[0])
    if kind not in KINDS:
        raise click.BadParameter(
            f"unknown file extension; use one of {', '.join(KINDS)}, or give --format", param_hint="'--output'"
        )
    with Client(url) as client:
        found = client.results(job).raw
    if not any(measure in cohort["measures"] for cohort in found["cohorts"].values()):
        had = sorted({name for cohort in found["cohorts"].values() for name in cohort["measures"]})
        raise click.BadParameter(f"the job has no {measure}; choose one of {', '.join(had)}", param_hint="'--measure'")
    output.write(draw(found, measure, kind, width))
    if as_json:
        click.echo(json.dumps({"file": str(output)}))
    elif not alone:
        click.echo(str(output))


def draw(results: Json, measure: str, kind: str, width: float = COLUMN_MM) -> bytes:
    """Return the figure of a measure in the results, as a file of one of KINDS; `width` is in millimetres."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    cohorts = [
        (name, each["measures"][measure]) for name, each in results["cohorts"].items() if measure in each["measures"]
    ]
    style = MEASURES[measure].figure
    rows = 1 if style.levels else 1 + len(_parts(cohorts))
    names, columns = _wrapped([name for name, _ in cohorts], width)
    height = 0.72 * width if style.levels else 12 + rows * (3 + 3.2 * len(cohorts))
    lines = sum(max(name.count("\n") + 1 for name in names[at : at + columns]) for at in range(0, len(names), columns))
    with mpl.rc_context(STYLE):
        made = Figure(figsize=(width / MM_PER_INCH, (height + LEGEND_LINE * lines) / MM_PER_INCH), layout="constrained")
        axes = made.add_subplot()
        handles = (_curve if style.levels else _dots)(axes, measure, cohorts)
        if len(cohorts) > 1:
            _legend(made, handles, names, columns)
        content = BytesIO()
        made.savefig(content, format=kind, dpi=300, metadata=_metadata(kind, results))
        return content.getvalue()


def _wrapped(names: Sequence[str], width: float) -> tuple[list[str], int]:
    """Return the names, wrapped to fit a legend as wide as the figure, and the number of the legend's columns."""
    across = int(width / LETTER) - HANDLE_LETTERS
    columns = max(1, min(len(names), MAX_COLUMNS, (across + HANDLE_LETTERS) // (max(map(len, names)) + HANDLE_LETTERS)))
    return ["\n".join(wrap(name, across)) for name in names], columns


def _legend(made: "Figure", handles: Sequence["Artist"], names: Sequence[str], columns: int) -> None:
    """Add the legend with verbatim names: matplotlib would parse `$` and hide names that start with `_`."""
    blank = [str(number) for number in range(len(names))]
    legend = made.legend(handles, blank, loc="outside upper center", ncols=columns, frameon=False)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(name)


def _metadata(kind: str, results: Json) -> dict[str, Any] | None:
    """Return the file's metadata: the job, but no date, so that the same results give the same file."""
    origin = f"salience-audit, job {results['job']}"
    known: Mapping[str, dict[str, Any]] = {
        "pdf": {"Subject": origin, "CreationDate": None},
        "svg": {"Description": origin, "Date": None},
        "png": {"Description": origin},
    }
    return known[kind]


def _curve(axes: "Axes", measure: str, cohorts: Sequence[tuple[str, Json]]) -> list["Artist"]:
    """Draw each cohort's similarity as a curve over equally spaced levels, and return the symbols for the legend."""
    places, drawn = list(cohorts[0][1]["parts"]), list["Artist"]()
    for number, (_, own) in enumerate(cohorts):
        parts = [own["parts"][place] for place in places]
        means, at = [nan if each["mean"] is None else each["mean"] for each in parts], range(len(places))
        colour, dash = COLOURS[number % len(COLOURS)], LINES[number % len(LINES)]
        drawn += axes.plot(at, means, color=colour, linestyle=dash, marker=MARKS[number % len(MARKS)])
        if own.get("chance") is not None:
            chance = [nan if each["chance"] is None else each["chance"] for each in parts]
            axes.plot(at, chance, color=colour, linestyle=dash, linewidth=0.6, alpha=0.6)
        if all(each["ci95"] for each in parts):
            low, high = zip(*(each["ci95"] for each in parts), strict=True)
            axes.fill_between(at, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.set_xticks(range(len(places)), places)
    style = MEASURES[measure].figure
    axes.set(xlabel=style.levels, ylabel=_unit(style.unit, cohorts))
    axes.set_ylim(top=1)
    return drawn


def _dots(axes: "Axes", measure: str, cohorts: Sequence[tuple[str, Json]]) -> list["Artist"]:
    """Draw a row for the measure and for each of its parts, and return each cohort's symbol for the legend."""
    from matplotlib.lines import Line2D

    parts, drawn = _parts(cohorts), list["Artist"]()
    for number, (_, own) in enumerate(cohorts):
        colour, offset = COLOURS[number % len(COLOURS)], (number - (len(cohorts) - 1) / 2) * 0.6 / max(len(cohorts), 2)
        for row, part in enumerate([None, *parts]):
            each = own if part is None else own["parts"].get(part)
            if each is None or each["mean"] is None:
                continue
            low, high = each["ci95"] or (each["mean"], each["mean"])
            axes.errorbar(
                each["mean"], row + offset, xerr=[[each["mean"] - low], [high - each["mean"]]], color=colour,
                marker=MARKS[number % len(MARKS)], linestyle="none", capsize=0, elinewidth=1.2,
            )  # fmt: skip
            if each.get("chance") is not None:
                axes.plot(each["chance"], row + offset, color=colour, marker="|", markersize=6, markeredgewidth=0.8)
        drawn.append(Line2D([], [], color=colour, marker=MARKS[number % len(MARKS)], linestyle="none"))
    _label_rows(axes, measure, parts)
    axes.set_xlabel(_unit(MEASURES[measure].figure.unit, cohorts))
    return drawn


def _unit(unit: str, cohorts: Sequence[tuple[str, Json]]) -> str:
    """Return the axis label of a measure's unit, with the meaning of the marks of chance where they are drawn."""
    has_chance = any(own.get("chance") is not None for _, own in cohorts)
    return f"{unit}\n(thin: unrelated images)" if has_chance else unit


def _label_rows(axes: "Axes", measure: str, parts: Sequence[str]) -> None:
    style = MEASURES[measure].figure
    axes.set_yticks(range(len(parts) + 1), [style.rows.get(row, row) for row in (measure, *parts)])
    axes.set_ylim(len(parts) + 0.5, -0.5)
    axes.locator_params(axis="x", nbins=6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", linewidth=0.4, color="#dddddd")
    axes.set_axisbelow(True)


def _parts(cohorts: Sequence[tuple[str, Json]]) -> list[str]:
    return [part for part in dict.fromkeys(p for _, own in cohorts for p in own.get("parts", {})) if part not in HIDDEN]
