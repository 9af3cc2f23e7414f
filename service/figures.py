"""A measure of some cohorts as a figure for a paper: a column wide, with 95 % intervals. Needs matplotlib.

Colours are Okabe and Ito's, and each cohort has a mark and a line of its own, so that print without colours will do.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.catalogue import MEASURES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMN = 86.0  # millimetres: a column of most two-column journals
INCH = 25.4
SUFFIXES = (".pdf", ".svg", ".png")
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKS, LINES = "oDs^vXP", ("-", "--", "-.", ":")
STYLE: Any = {
    "font.size": 8, "axes.labelsize": 8, "xtick.labelsize": 7, "ytick.labelsize": 7, "legend.fontsize": 7,
    "axes.linewidth": 0.6, "lines.linewidth": 1.2, "lines.markersize": 4, "pdf.fonttype": 42, "svg.fonttype": "none",
    "svg.hashsalt": "salience", "axes.spines.top": False, "axes.spines.right": False, "font.family": "sans-serif",
}  # fmt: skip
HIDDEN = ("matrix",)  # of the parts, what is no mean

Json = Mapping[str, Any]


def draw(results: Json, measure: str, output: Path, width: float = COLUMN) -> None:
    """Write the figure of a measure that the results have, `width` in millimetres."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    cohorts = [
        (name, each["measures"][measure]) for name, each in results["cohorts"].items() if measure in each["measures"]
    ]
    rows = 1 if measure == "noise" else 1 + len(_parts(cohorts))
    height = 0.72 * width if measure == "noise" else 16 + rows * (3 + 3.2 * len(cohorts))
    with mpl.rc_context(STYLE):
        made = Figure(figsize=(width / INCH, height / INCH), layout="constrained")
        axes = made.add_subplot()
        (_curve if measure == "noise" else _dots)(axes, measure, cohorts)
        if len(cohorts) > 1:
            made.legend(loc="outside upper center", ncols=min(len(cohorts), 3), frameon=False)
        made.savefig(output, dpi=300, metadata=_metadata(output, results))


def _metadata(output: Path, results: Json) -> dict[str, Any] | None:
    """Which job it is of, and no date, so that the same results give the same file."""
    told = f"salience-audit, job {results['job']}"
    known: Mapping[str, dict[str, Any]] = {
        ".pdf": {"Subject": told, "CreationDate": None},
        ".svg": {"Description": told, "Date": None},
        ".png": {"Description": told},
    }
    return known[output.suffix]


def _curve(axes: "Axes", _measure: str, cohorts: Sequence[tuple[str, Json]]) -> None:
    """Similarity over amounts of noise, at equal distances."""
    places = list(cohorts[0][1]["parts"])
    for number, (name, own) in enumerate(cohorts):
        parts = [own["parts"][place] for place in places]
        means, at = [each["mean"] for each in parts], range(len(places))
        colour, dash = COLOURS[number % len(COLOURS)], LINES[number % len(LINES)]
        axes.plot(at, means, color=colour, linestyle=dash, marker=MARKS[number % len(MARKS)], label=name)
        if all(each["ci95"] for each in parts):
            low, high = zip(*(each["ci95"] for each in parts), strict=True)
            axes.fill_between(at, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.set_xticks(range(len(places)), places)
    axes.set(xlabel="amount of noise", ylabel="similarity of maps (SSIM)")
    axes.set_ylim(top=1)


def _dots(axes: "Axes", measure: str, cohorts: Sequence[tuple[str, Json]]) -> None:
    """The headline and each part in a row, the cohorts under each other."""
    parts = _parts(cohorts)
    for number, (name, own) in enumerate(cohorts):
        colour, offset = COLOURS[number % len(COLOURS)], (number - (len(cohorts) - 1) / 2) * 0.6 / max(len(cohorts), 2)
        for row, part in enumerate([None, *parts]):
            each = own if part is None else own["parts"].get(part)
            if each is None or each["mean"] is None:
                continue
            low, high = each["ci95"] or (each["mean"], each["mean"])
            axes.errorbar(
                each["mean"], row + offset, xerr=[[each["mean"] - low], [high - each["mean"]]], color=colour,
                marker=MARKS[number % len(MARKS)], linestyle="none", capsize=0, elinewidth=1.2,
                label=name if part is None else None,
            )  # fmt: skip
    axes.set_yticks(range(len(parts) + 1), [measure, *parts])
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", linewidth=0.4, color="#dddddd")
    axes.set_axisbelow(True)
    axes.set_xlabel("similarity of maps (SSIM)" if MEASURES[measure].low < 0 else "share of the largest possible")


def _parts(cohorts: Sequence[tuple[str, Json]]) -> list[str]:
    return [part for part in dict.fromkeys(p for _, own in cohorts for p in own.get("parts", {})) if part not in HIDDEN]
