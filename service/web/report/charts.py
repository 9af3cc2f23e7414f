"""The report's charts: small, pure functions from numbers to SVG. Colours and type are the stylesheet's."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from service.web.report.svg import Child, Scale, chart, domain, element

ROW, LEFT, RIGHT = 22.0, 14.0, 14.0
DESKTOP_SIZE, PHONE_SIZE = (640.0, 280.0), (340.0, 250.0)  # of a chart on a desk and on a phone
SIDE = 52.0  # left of it, what is written of the axis
PLACE = 34.0  # room that the name of a place takes
TONES = 6  # colours, and as many shapes


@dataclass(frozen=True)
class Mark:
    """A mean in its cohort's tone, its interval, means of its runs, and what it says on hover."""

    tone: int
    mean: float | None
    interval: Sequence[float] | None
    hover_text: str
    runs: Sequence[float] = ()


def tone(cohort: int) -> int:
    """The tone of a cohort by its number, from 1; each is another pair of colour and shape, as far as there are any."""
    return cohort % TONES**2 + 1


def kind(which: int) -> int:
    """Which of the shapes and dashes a tone has, from 1; once the colours begin anew, it is another of them."""
    return (which - 1 + (which - 1) // TONES) % TONES + 1


def shape(which: int, x: float, y: float, size: float = 5.0) -> Markup:
    """The mark of a tone: each has a shape of its own, so that no colour is needed to tell it."""
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
    """Means with their intervals, a row each, on one axis; runs are small ticks."""
    down = ROW * len(rows)
    scale = Scale(*ends, LEFT, width - RIGHT)
    children: list[Child] = [_grid_x(scale, down), _ticks_x(scale, down + 14)]
    for place, mark in enumerate(rows):
        children.append(element("g", *_mark(mark, scale, ROW * (place + 0.5)), element("title", mark.hover_text)))
    children.append(element("text", unit, x=width / 2, y=down + 29, text_anchor="middle", class_="unit"))
    return chart(width, down + 34, f"{label}. {'; '.join(mark.hover_text for mark in rows)}", *children)


def _mark(mark: Mark, scale: Scale, y: float) -> list[Child]:
    if mark.mean is None:
        return [element("text", "no number", x=LEFT, y=y + 4, class_="soft")]
    found: list[Child] = [element("rect", x=LEFT, y=y - ROW / 2, width=scale.stop - LEFT, height=ROW, class_="hit")]
    found += [
        element("line", x1=scale.at(v), x2=scale.at(v), y1=y - 7, y2=y + 7, class_=f"run t{mark.tone}")
        for v in mark.runs
    ]
    if mark.interval:
        low, high = (scale.at(each) for each in mark.interval)
        found.append(element("line", x1=low, x2=high, y1=y, y2=y, class_=f"whisker t{mark.tone}"))
    return [*found, shape(mark.tone, scale.at(mark.mean), y)]


def histogram(label: str, series: Mapping[int, Sequence[int]], unit: str) -> Markup:
    """Shares of pictures by value in [0, 1], an outline a cohort."""
    shares = {each: [count / max(sum(counts), 1) for count in counts] for each, counts in series.items()}
    top = max((share for each in shares.values() for share in each), default=1) or 1

    def drawn(wide: float, tall: float) -> Markup:
        x, y = Scale(0, 1, SIDE, wide - RIGHT), Scale(0, top * 1.05, tall - 40, 10)
        children: list[Child] = [_grid_y(y, SIDE, wide - RIGHT, percent=True), _ticks_x(x, tall - 24)]
        children += [
            element("path", d=_outline(bins, x, y), class_=f"area t{which} k{kind(which)}")
            for which, bins in shares.items()
        ]
        children.append(element("text", unit, x=(SIDE + wide) / 2, y=tall - 4, text_anchor="middle", class_="unit"))
        return chart(wide, tall, label, *children, _rotated_text("share of pictures", tall))

    return _for_both(drawn)


def _outline(bins: Sequence[float], x: Scale, y: Scale) -> str:
    path = f"M{x.at(0):.1f} {y.at(0):.1f}"
    for place, share in enumerate(bins):
        path += f"V{y.at(share):.1f}H{x.at((place + 1) / len(bins)):.1f}"
    return path + f"V{y.at(0):.1f}"


def curve(label: str, places: Sequence[str], lines: Sequence[Sequence[Mark]], units: tuple[str, str]) -> Markup:
    """Means over places in their order, a mark a place, with intervals as bands; the units are of places and means."""
    values = [v for line in lines for mark in line for v in (mark.mean, *(mark.interval or ())) if v is not None]
    across, up = units

    def drawn(wide: float, tall: float) -> Markup:
        x, y = Scale(0, max(len(places) - 1, 1), SIDE + 12, wide - 24), Scale(*domain(values), tall - 44, 12)
        every = math.ceil(PLACE * len(places) / (wide - 80))
        children: list[Child] = [_grid_y(y, SIDE, wide - RIGHT)]
        children += [
            element("text", name, x=x.at(n), y=tall - 26, text_anchor="middle", class_="tick")
            for n, name in enumerate(places) if n % every == 0
        ]  # fmt: skip
        children += [element("g", *_line(line, x, y)) for line in lines]
        children.append(element("text", across, x=(SIDE + wide) / 2, y=tall - 6, text_anchor="middle", class_="unit"))
        return chart(wide, tall, label, *children, _rotated_text(up, tall))

    return _for_both(drawn)


def _for_both(drawn: Callable[[float, float], Markup]) -> Markup:
    """A chart as a desk and as a phone show it, whose letters are as large; the stylesheet shows one of them."""
    return element("div", drawn(*DESKTOP_SIZE), class_="wide") + element("div", drawn(*PHONE_SIZE), class_="narrow")


def _line(line: Sequence[Mark], x: Scale, y: Scale) -> list[Child]:
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


def _grid_x(scale: Scale, height: float) -> Markup:
    lines = [element("line", x1=scale.at(t), x2=scale.at(t), y1=0, y2=height, class_="grid") for t in scale.ticks()]
    return element("g", *lines)


def _ticks_x(scale: Scale, y: float) -> Markup:
    names = [element("text", _round(t), x=scale.at(t), y=y, text_anchor="middle", class_="tick") for t in scale.ticks()]
    return element("g", *names)


def _grid_y(scale: Scale, left: float, right: float, percent: bool = False) -> Markup:
    found: list[Child] = []
    for t in scale.ticks():
        found.append(element("line", x1=left, x2=right, y1=scale.at(t), y2=scale.at(t), class_="grid"))
        written = f"{100 * t:g} %" if percent else _round(t)
        found.append(element("text", written, x=left - 6, y=scale.at(t) + 4, text_anchor="end", class_="tick"))
    return element("g", *found)


def _rotated_text(text: str, height: float) -> Markup:
    return element(
        "text", text, transform=f"translate(9 {height / 2 - 10:.0f}) rotate(-90)", text_anchor="middle", class_="unit"
    )


def _round(value: float) -> str:
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")


def _polygon(points: Sequence[tuple[float, float]]) -> Markup:
    return element("polygon", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points))
