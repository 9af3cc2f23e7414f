"""Draws the report's charts as SVG with pure functions. The stylesheet sets colours and fonts."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from service.web.report.svg import Axis, Child, chart, domain, element

ROW, LEFT, RIGHT = 22.0, 14.0, 14.0
DESKTOP_SIZE, PHONE_SIZE = (640.0, 280.0), (340.0, 250.0)
SIDE = 52.0  # room for the labels of the vertical axis
NAME_WIDTH = 34.0  # room for the name of a position
TONES = 6  # number of colours, and number of shapes

Ticks = Sequence[tuple[float, str]]  # places on an axis, and their names


@dataclass(frozen=True)
class Mark:
    """A mean in its cohort's tone, with a label, a 95 % interval, an interpretation, and the means of the runs."""

    label: str
    tone: int
    mean: float | None
    interval: Sequence[float] | None
    interpretation: str = ""
    runs: Sequence[float] = ()

    @property
    def hover_text(self) -> str:
        """The text that a chart shows on hover and reads to screen readers."""
        return f"{self.label}: {self.interpretation}"

    @property
    def values(self) -> list[float]:
        """All values that an axis must cover."""
        return [each for each in (self.mean, *(self.interval or ()), *self.runs) if each is not None]


def tone(cohort: int) -> int:
    """Return the tone of a cohort, counted from 1. Each tone is its own pair of colour and shape, up to 36 cohorts."""
    return cohort % TONES**2 + 1


def kind(which: int) -> int:
    """Return the shape and dash of a tone, from 1 to 6; tones of the same colour have different shapes."""
    return (which - 1 + (which - 1) // TONES) % TONES + 1


def shape(which: int, x: float, y: float, size: float = 5.0) -> Markup:
    """Return the symbol of a tone. Symbols differ in shape, so that cohorts can be distinguished without colour."""
    shapes = {
        1: element("circle", cx=x, cy=y, r=size),
        2: _polygon([(x, y - 1.25 * size), (x + 1.25 * size, y), (x, y + 1.25 * size), (x - 1.25 * size, y)]),
        3: element("rect", x=x - 0.9 * size, y=y - 0.9 * size, width=1.8 * size, height=1.8 * size),
        4: _polygon([(x, y - 1.2 * size), (x + 1.2 * size, y + size), (x - 1.2 * size, y + size)]),
        5: _polygon([(x, y + 1.2 * size), (x + 1.2 * size, y - size), (x - 1.2 * size, y - size)]),
        6: element(
            "path", d=f"M{x - size:.1f} {y - size:.1f}l{2 * size} {2 * size}m0 {-2 * size}l{-2 * size} {2 * size}"
        ),
    }
    return element("g", shapes[kind(which)], class_=f"dot t{which} k{kind(which)}")


def strip(
    label: str, rows: Sequence[Mark], unit: str, ends: tuple[float, float] = (0.0, 1.0), width: float = 300.0
) -> Markup:
    """Draw each mean with its interval in a row, on one axis; small ticks are the means of runs."""
    down = ROW * len(rows)
    axis = Axis(*ends, LEFT, width - RIGHT)
    children: list[Child] = [_grid_x(axis, down), _ticks_x(axis, down + 14)]
    for row, mark in enumerate(rows):
        children.append(element("g", *_mark(mark, axis, ROW * (row + 0.5)), element("title", mark.hover_text)))
    children.append(element("text", unit, x=width / 2, y=down + 29, text_anchor="middle", class_="unit"))
    return chart(width, down + 34, f"{label}. {'; '.join(mark.hover_text for mark in rows)}", *children)


def _mark(mark: Mark, axis: Axis, y: float) -> list[Child]:
    if mark.mean is None:
        return [element("text", "no number", x=LEFT, y=y + 4, class_="soft")]
    found: list[Child] = [element("rect", x=LEFT, y=y - ROW / 2, width=axis.stop - LEFT, height=ROW, class_="hit")]
    found += [
        element("line", x1=axis.at(v), x2=axis.at(v), y1=y - 7, y2=y + 7, class_=f"run t{mark.tone}") for v in mark.runs
    ]
    if mark.interval:
        low, high = (axis.at(each) for each in mark.interval)
        found.append(element("line", x1=low, x2=high, y1=y, y2=y, class_=f"whisker t{mark.tone}"))
    return [*found, shape(mark.tone, axis.at(mark.mean), y)]


def histogram(label: str, series: Mapping[int, Sequence[int]], unit: str) -> Markup:
    """Draw the shares of images by value in [0, 1], an outline per cohort; `series` has the counts of each tone."""
    shares = {each: [count / max(sum(counts), 1) for count in counts] for each, counts in series.items()}
    top = max((share for each in shares.values() for share in each), default=1) or 1

    def draw(width: float, height: float) -> Markup:
        x, y = Axis(0, 1, SIDE, width - RIGHT), Axis(0, top * 1.05, height - 40, 10)
        children: list[Child] = [_grid_y(y, SIDE, width - RIGHT, percent=True), _ticks_x(x, height - 24)]
        children += [
            element("path", d=_outline(bins, x, y), class_=f"area t{which} k{kind(which)}")
            for which, bins in shares.items()
        ]
        children.append(element("text", unit, x=(SIDE + width) / 2, y=height - 4, text_anchor="middle", class_="unit"))
        return chart(width, height, label, *children, _rotated_text("share of images", height))

    return _draw_both_sizes(draw)


def _outline(bins: Sequence[float], x: Axis, y: Axis) -> str:
    path = f"M{x.at(0):.1f} {y.at(0):.1f}"
    for place, share in enumerate(bins):
        path += f"V{y.at(share):.1f}H{x.at((place + 1) / len(bins)):.1f}"
    return path + f"V{y.at(0):.1f}"


def curve(label: str, names: Sequence[str], lines: Sequence[Sequence[Mark]], units: tuple[str, str]) -> Markup:
    """Draw a line of means per cohort over named positions, with intervals as bands. `units` labels both axes."""
    values = [value for line in lines for mark in line for value in mark.values]
    across, up = units

    def draw(width: float, height: float) -> Markup:
        x, y = Axis(0, max(len(names) - 1, 1), SIDE + 12, width - 24), Axis(*domain(values), height - 44, 12)
        every = math.ceil(NAME_WIDTH * len(names) / (width - 80))
        children: list[Child] = [_grid_y(y, SIDE, width - RIGHT)]
        children += [
            element("text", name, x=x.at(n), y=height - 26, text_anchor="middle", class_="tick")
            for n, name in enumerate(names) if n % every == 0
        ]  # fmt: skip
        children += [element("g", *_line(line, x, y)) for line in lines]
        children.append(
            element("text", across, x=(SIDE + width) / 2, y=height - 6, text_anchor="middle", class_="unit")
        )
        return chart(width, height, label, *children, _rotated_text(up, height))

    return _draw_both_sizes(draw)


def plane(
    label: str, series: Mapping[int, Sequence[tuple[float, float]]], ticks: Ticks, units: tuple[str, str]
) -> Markup:
    """Draw a line through the points of each tone, and the diagonal; both axes have the same ticks and ends."""
    across, up = units

    def draw(width: float, height: float) -> Markup:
        x = Axis(ticks[0][0], ticks[-1][0], SIDE, width - 24)
        y = Axis(ticks[0][0], ticks[-1][0], height - 44, 12)
        ends = {"x1": x.start, "y1": y.start, "x2": x.stop, "y2": y.stop}
        children: list[Child] = [element("line", **ends, class_="grid")]
        for place, name in ticks:
            children.append(element("line", x1=x.start, x2=x.stop, y1=y.at(place), y2=y.at(place), class_="grid"))
            children.append(element("text", name, x=SIDE - 6, y=y.at(place) + 4, text_anchor="end", class_="tick"))
            children.append(element("text", name, x=x.at(place), y=height - 26, text_anchor="middle", class_="tick"))
        for which, points in series.items():
            path = " ".join(f"{x.at(one):.1f},{y.at(other):.1f}" for one, other in points)
            children.append(element("polyline", points=path, class_=f"line t{which} k{kind(which)}"))
            children += [shape(which, x.at(one), y.at(other), 3.0) for one, other in points]
        unit = element("text", across, x=(SIDE + width) / 2, y=height - 6, text_anchor="middle", class_="unit")
        return chart(width, height, label, *children, unit, _rotated_text(up, height))

    return _draw_both_sizes(draw)


def _draw_both_sizes(draw: Callable[[float, float], Markup]) -> Markup:
    """Draw a chart for desktops and for phones, with text of the same size; the stylesheet shows one of them."""
    return element("div", draw(*DESKTOP_SIZE), class_="wide") + element("div", draw(*PHONE_SIZE), class_="narrow")


def _line(line: Sequence[Mark], x: Axis, y: Axis) -> list[Child]:
    there = [(n, mark.mean, mark.interval, mark) for n, mark in enumerate(line) if mark.mean is not None]
    banded = [(n, ends) for n, _, ends, _ in there if ends]
    up = [f"{x.at(n):.1f} {y.at(ends[1]):.1f}" for n, ends in banded]
    down = [f"{x.at(n):.1f} {y.at(ends[0]):.1f}" for n, ends in reversed(banded)]
    points = " ".join(f"{x.at(n):.1f},{y.at(mean):.1f}" for n, mean, _, _ in there)
    which = line[0].tone
    found: list[Child] = (
        [element("path", d="M" + "L".join([*up, *down]) + "Z", class_=f"band t{which}")] if banded else []
    )
    found.append(element("polyline", points=points, class_=f"line t{which} k{kind(which)}"))
    for n, mean, _, mark in there:
        found.append(element("g", shape(which, x.at(n), y.at(mean), 4.0), element("title", mark.hover_text)))
    return found


def _grid_x(axis: Axis, height: float) -> Markup:
    return element(
        "g", *(element("line", x1=axis.at(t), x2=axis.at(t), y1=0, y2=height, class_="grid") for t in axis.ticks)
    )


def _ticks_x(axis: Axis, y: float) -> Markup:
    names = [element("text", _round(t), x=axis.at(t), y=y, text_anchor="middle", class_="tick") for t in axis.ticks]
    return element("g", *names)


def _grid_y(axis: Axis, left: float, right: float, percent: bool = False) -> Markup:
    found: list[Child] = []
    for t in axis.ticks:
        found.append(element("line", x1=left, x2=right, y1=axis.at(t), y2=axis.at(t), class_="grid"))
        written = f"{100 * t:g} %" if percent else _round(t)
        found.append(element("text", written, x=left - 6, y=axis.at(t) + 4, text_anchor="end", class_="tick"))
    return element("g", *found)


def _rotated_text(text: str, height: float) -> Markup:
    return element(
        "text", text, transform=f"translate(9 {height / 2 - 10:.0f}) rotate(-90)", text_anchor="middle", class_="unit"
    )


def _round(value: float) -> str:
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")


def _polygon(points: Sequence[tuple[float, float]]) -> Markup:
    return element("polygon", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points))
