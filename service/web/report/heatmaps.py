"""Charts that show values as colours: tiles, mean maps, and the colour scale of both."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from service.api.map_images import INFERNO, to_hex, to_level
from service.web.formatting import number
from service.web.report.svg import Child, chart, element

TILE, GAP = 54.0, 3.0
STEPS = 48


@dataclass(frozen=True)
class Tile:
    """A value at a position of a grid, with its name and its text on hover."""

    column: float
    row: int
    value: float | None
    says: str
    name: str = ""
    marked: bool = False


def draw_tiles(label: str, found: Sequence[Tile], heads: tuple[Sequence[str], Sequence[str]] = ((), ())) -> Markup:
    """Draw values as tiles; `heads` has the names of the columns and of the rows."""
    columns, rows = heads
    left, top = (58.0 if rows else 0.0), (18.0 if columns else 0.0)
    width = left + (max(each.column for each in found) + 1) * (TILE + GAP)
    height = top + (max(each.row for each in found) + 1) * (TILE + GAP)
    children: list[Child] = [
        element("text", name, x=left + (n + 0.5) * (TILE + GAP) - GAP / 2, y=12, text_anchor="middle", class_="tick")
        for n, name in enumerate(columns)
    ]
    children += [
        element("text", name, x=left - 6, y=top + (n + 0.5) * (TILE + GAP) + 2, text_anchor="end", class_="tick")
        for n, name in enumerate(rows)
    ]
    children += [_tile(each, left + each.column * (TILE + GAP), top + each.row * (TILE + GAP)) for each in found]
    return chart(width, height, label, *children)


def _tile(tile: Tile, x: float, y: float) -> Markup:
    if tile.value is None:
        return _hole(tile, x, y)
    ink = "#000000" if _is_bright(tile.value) else "#ffffff"
    inside: list[Child] = [
        element("rect", x=x, y=y, width=TILE, height=TILE, rx=4, fill=to_hex(tile.value)),
        element("text", number(tile.value, 2), x=x + TILE / 2, y=y + (TILE / 2 if tile.name else TILE / 2 + 5),
           text_anchor="middle", fill=ink, class_="value"),
    ]  # fmt: skip
    if tile.name:
        inside.append(
            element(
                "text", tile.name, x=x + TILE / 2, y=y + TILE / 2 + 15, text_anchor="middle", fill=ink, class_="name"
            )
        )
    if tile.marked:
        inside += [  # a light frame on a dark one, visible on every colour
            element("rect", x=x + 2, y=y + 2, width=TILE - 4, height=TILE - 4, rx=3, class_=name)
            for name in ("marking", "marked")
        ]
    return element("g", *inside, element("title", tile.says))


def _hole(tile: Tile, x: float, y: float) -> Markup:
    """Draw the tile of a missing value."""
    return element(
        "g",
        element("rect", x=x, y=y, width=TILE, height=TILE, rx=4, class_="hole"),
        element("text", tile.name, x=x + TILE / 2, y=y + TILE / 2 + 4, text_anchor="middle", class_="tick"),
        element("title", tile.says),
    )


def draw_mean_map(label: str, rows: Sequence[Sequence[float]]) -> Markup:
    """Draw a mean map as a grid of its values, scaled so that the largest is brightest."""
    top = max(max(row) for row in rows) or 1.0
    cells = [
        element("rect", x=column, y=place, width=1.03, height=1.03, fill=to_hex(value / top))
        for place, row in enumerate(rows)
        for column, value in enumerate(row)
    ]
    box = f"0 0 {len(rows[0])} {len(rows)}"
    return element("svg", *cells, viewBox=box, role="img", aria_label=label, shape_rendering="crispEdges")


def draw_legend(label: str, low: str, high: str) -> Markup:
    """Draw the colour scale."""
    width = 180.0
    steps = [
        element("rect", x=n * width / STEPS, y=0, width=width / STEPS + 0.5, height=10, fill=to_hex(n / (STEPS - 1)))
        for n in range(STEPS)
    ]
    ends = [
        element("text", low, x=0, y=24, class_="tick"),
        element("text", high, x=width, y=24, text_anchor="end", class_="tick"),
    ]
    return chart(width, 28, label, *steps, *ends)


def _is_bright(value: float) -> bool:
    red, green, blue = map(int, INFERNO[to_level(value)])
    return 0.299 * red + 0.587 * green + 0.114 * blue > 110
