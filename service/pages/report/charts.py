"""The report's charts: small, pure functions from numbers to SVG. Colours and type are the stylesheet's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from service.pages.numerals import number
from service.pages.report.svg import Child, Scale, chart, domain, el
from service.pages.report.words import interval

ROW, LEFT, RIGHT = 22.0, 8.0, 8.0
WIDE, TALL = 640.0, 280.0
TONES = 6


@dataclass(frozen=True)
class Mark:
    """A mean in its cohort's tone, its interval, means of its runs, and what it says on hover."""

    tone: int
    mean: float | None
    ends: Sequence[float] | None
    says: str
    runs: Sequence[float] = ()


@dataclass(frozen=True)
class Line:
    """A cohort's points over named places, each a mean and its interval."""

    tone: int
    name: str
    points: Sequence[tuple[float | None, Sequence[float] | None]]


def tone(cohort: int) -> int:
    """The tone of a cohort by its number; there are six, and six shapes."""
    return cohort % TONES + 1


def shape(which: int, x: float, y: float, size: float = 5.0) -> Markup:
    """The mark of a tone: each has a shape of its own, so that no colour is needed to tell it."""
    shapes = {
        1: el("circle", cx=x, cy=y, r=size),
        2: _polygon([(x, y - 1.25 * size), (x + 1.25 * size, y), (x, y + 1.25 * size), (x - 1.25 * size, y)]),
        3: el("rect", x=x - 0.9 * size, y=y - 0.9 * size, width=1.8 * size, height=1.8 * size),
        4: _polygon([(x, y - 1.2 * size), (x + 1.2 * size, y + size), (x - 1.2 * size, y + size)]),
        5: _polygon([(x, y + 1.2 * size), (x + 1.2 * size, y - size), (x - 1.2 * size, y - size)]),
        6: el("path", d=f"M{x - size:.1f} {y - size:.1f}l{2 * size} {2 * size}m0 {-2 * size}l{-2 * size} {2 * size}"),
    }
    return el("g", shapes[which], class_=f"dot t{which}")


def strip(label: str, rows: Sequence[Mark], ends: tuple[float, float] = (0.0, 1.0), width: float = 300.0) -> Markup:
    """Means with their intervals, a row each, on one axis; runs are small ticks."""
    height = ROW * len(rows) + 18
    scale = Scale(*ends, LEFT, width - RIGHT)
    children: list[Child] = [_grid_x(scale, height - 18), _ticks_x(scale, height - 4)]
    for place, mark in enumerate(rows):
        y = ROW * (place + 0.5)
        children.append(el("g", *_mark(mark, scale, y), el("title", mark.says)))
    return chart(width, height, label, *children)


def _mark(mark: Mark, scale: Scale, y: float) -> list[Child]:
    if mark.mean is None:
        return [el("text", "no number", x=LEFT, y=y + 4, class_="soft")]
    found: list[Child] = [el("rect", x=LEFT, y=y - ROW / 2, width=scale.stop - LEFT, height=ROW, class_="hit")]
    found += [
        el("line", x1=scale.at(v), x2=scale.at(v), y1=y - 7, y2=y + 7, class_=f"run t{mark.tone}") for v in mark.runs
    ]
    if mark.ends:
        low, high = (scale.at(each) for each in mark.ends)
        found.append(el("line", x1=low, x2=high, y1=y, y2=y, class_=f"whisker t{mark.tone}"))
    return [*found, shape(mark.tone, scale.at(mark.mean), y)]


def histogram(label: str, series: Mapping[int, Sequence[int]], unit: str) -> Markup:
    """Shares of pictures by value in [0, 1], an outline a cohort."""
    shares = {each: [count / max(sum(counts), 1) for count in counts] for each, counts in series.items()}
    top = max((share for each in shares.values() for share in each), default=1) or 1
    x, y = Scale(0, 1, 44, WIDE - RIGHT), Scale(0, top * 1.05, TALL - 40, 10)
    children: list[Child] = [_grid_y(y, 44, WIDE - RIGHT, percent=True), _ticks_x(x, TALL - 24)]
    for which, bins in shares.items():
        path = f"M{x.at(0):.1f} {y.at(0):.1f}"
        for place, share in enumerate(bins):
            path += f"V{y.at(share):.1f}H{x.at((place + 1) / len(bins)):.1f}"
        children.append(el("path", d=path + f"V{y.at(0):.1f}", class_=f"area t{which}"))
    children.append(el("text", unit, x=(44 + WIDE) / 2, y=TALL - 4, text_anchor="middle", class_="unit"))
    children.append(_up("share of pictures", TALL))
    return chart(WIDE, TALL, label, *children)


def curve(label: str, places: Sequence[str], lines: Sequence[Line], unit: str) -> Markup:
    """Means over places in their order, with intervals as bands."""
    values = [v for line in lines for mean, ends in line.points for v in (mean, *(ends or ())) if v is not None]
    x, y = Scale(0, max(len(places) - 1, 1), 56, WIDE - 24), Scale(*domain(values), TALL - 44, 12)
    children: list[Child] = [_grid_y(y, 44, WIDE - RIGHT)]
    children += [
        el("text", name, x=x.at(n), y=TALL - 26, text_anchor="middle", class_="tick") for n, name in enumerate(places)
    ]
    for line in lines:
        children.append(el("g", *_line(line, places, x, y)))
    children.append(el("text", unit, x=(44 + WIDE) / 2, y=TALL - 6, text_anchor="middle", class_="unit"))
    children.append(_up("similarity (SSIM)", TALL))
    return chart(WIDE, TALL, label, *children)


def _line(line: Line, places: Sequence[str], x: Scale, y: Scale) -> list[Child]:
    there = [(n, mean, ends) for n, (mean, ends) in enumerate(line.points) if mean is not None]
    banded = [(n, ends) for n, _, ends in there if ends]
    up = [f"{x.at(n):.1f} {y.at(ends[1]):.1f}" for n, ends in banded]
    down = [f"{x.at(n):.1f} {y.at(ends[0]):.1f}" for n, ends in reversed(banded)]
    points = " ".join(f"{x.at(n):.1f},{y.at(mean):.1f}" for n, mean, _ in there)
    found: list[Child] = (
        [el("path", d="M" + "L".join([*up, *down]) + "Z", class_=f"band t{line.tone}")] if banded else []
    )
    found.append(el("polyline", points=points, class_=f"line t{line.tone}"))
    for n, mean, ends in there:
        says = f"{line.name}, {places[n]}: {number(mean)}" + (f", 95 % interval {interval(list(ends))}" if ends else "")
        found.append(el("g", shape(line.tone, x.at(n), y.at(mean), 4.0), el("title", says)))
    return found


def _grid_x(scale: Scale, height: float) -> Markup:
    lines = [el("line", x1=scale.at(t), x2=scale.at(t), y1=0, y2=height, class_="grid") for t in scale.ticks()]
    return el("g", *lines)


def _ticks_x(scale: Scale, y: float) -> Markup:
    ends = {scale.ticks()[0]: "start", scale.ticks()[-1]: "end"}
    return el("g", *(
        el("text", _round(t), x=scale.at(t), y=y, text_anchor="middle" if 0 < n < len(scale.ticks()) - 1 else ends[t],
           class_="tick")
        for n, t in enumerate(scale.ticks())
    ))  # fmt: skip


def _grid_y(scale: Scale, left: float, right: float, percent: bool = False) -> Markup:
    found: list[Child] = []
    for t in scale.ticks():
        found.append(el("line", x1=left, x2=right, y1=scale.at(t), y2=scale.at(t), class_="grid"))
        written = f"{100 * t:g} %" if percent else _round(t)
        found.append(el("text", written, x=left - 6, y=scale.at(t) + 4, text_anchor="end", class_="tick"))
    return el("g", *found)


def _up(text: str, height: float) -> Markup:
    return el(
        "text", text, transform=f"translate(9 {height / 2 - 10:.0f}) rotate(-90)", text_anchor="middle", class_="unit"
    )


def _round(value: float) -> str:
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")


def _polygon(points: Sequence[tuple[float, float]]) -> Markup:
    return el("polygon", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points))
